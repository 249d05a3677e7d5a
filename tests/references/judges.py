"""The judges of trials on noisy labels, one image after the other, by their definitions."""

from __future__ import annotations

import math

STRENGTHS = (1, 3, 10, 30, 100, 300, 1000)


def label_information(counts):
    """Return the evidence of the labels given the predictions, less their entropy: Polya's urn.

    ``counts``: the number of images by predicted class and given label.
    """
    classes, images = len(counts), sum(map(sum, counts))
    accuracy = (sum(counts[k][k] for k in range(classes)) + 1) / (images + classes)
    each = []
    for strength in STRENGTHS:
        logs = 0.0
        for row in range(classes):
            urn = [(1 - accuracy) / (classes - 1) * strength] * classes
            urn[row] = accuracy * strength
            for label in range(classes):
                for _ in range(counts[row][label]):
                    logs += math.log(urn[label] / sum(urn))
                    urn[label] += 1
        each.append(logs)
    top = max(each)
    evidence = top + math.log(sum(math.exp(one - top) for one in each) / len(each))
    frequencies = [
        sum(counts[row][label] for row in range(classes)) / images for label in range(classes)
    ]
    return evidence / images - sum(f * math.log(f) for f in frequencies if f)


def consensus(probabilities, given, judged, rounds):
    """Return a trial's agreement with the better third of the other trials and the labels.

    Their geometric mean is the prior of an image's true class; the posterior follows from it and
    the given label by a transition matrix that is estimated from the posterior, round by round.

    ``probabilities``: by trial, image and class; ``judged``: the number of the trial.
    """
    trials, images, classes = len(probabilities), len(given), len(probabilities[0][0])

    def likelihood(trial):
        each = zip(probabilities[trial], given, strict=True)
        return sum(math.log(max(p[label], 1e-6)) for p, label in each)

    others = sorted((t for t in range(trials) if t != judged), key=lambda t: -likelihood(t))
    voters = others[: max(2, round((trials - 1) / 3))]
    prior = []
    for image in range(images):
        logs = [
            sum(math.log(max(probabilities[t][image][k], 1e-3)) for t in voters) / len(voters)
            for k in range(classes)
        ]
        whole = sum(map(math.exp, logs))
        prior.append([math.exp(log) / whole for log in logs])
    posterior = prior
    for _ in range(rounds):
        transition = [[1 / classes] * classes for _ in range(classes)]
        for each, label in zip(posterior, given, strict=True):
            for true in range(classes):
                transition[true][label] += each[true]
        transition = [[t / sum(row) for t in row] for row in transition]
        joint = [
            [prior[image][k] * transition[k][given[image]] for k in range(classes)]
            for image in range(images)
        ]
        posterior = [[j / sum(row) for j in row] for row in joint]
    predicted = [max(range(classes), key=p.__getitem__) for p in probabilities[judged]]
    return sum(row[k] for row, k in zip(posterior, predicted, strict=True)) / images
