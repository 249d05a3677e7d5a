"""A real S3 server on loopback, for the tests that ask for it."""

import uuid

import pytest
from pyarrow.fs import S3FileSystem


@pytest.fixture(scope="session")
def s3_server():
    from moto.server import ThreadedMotoServer  # here, since most tests need none of it

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()
    server.stop()


@pytest.fixture
def bucket(s3_server, monkeypatch):
    """The URI of an empty bucket, which this process and those it starts may use."""
    host, port = s3_server
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anyone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    name = f"bucket-{uuid.uuid4().hex}"
    system = S3FileSystem(
        endpoint_override=f"{host}:{port}", scheme="http", allow_bucket_creation=True
    )
    system.create_dir(name)
    return f"s3://{name}"
