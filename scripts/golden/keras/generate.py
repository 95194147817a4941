"""Writes what Keras 3 makes of the cases in cases.yaml, beside this file.

    python3 -m venv /tmp/golden
    /tmp/golden/bin/pip install -r scripts/golden/keras/requirements.txt
    /tmp/golden/bin/python scripts/golden/keras/generate.py [part ...]

Parts are `layers`, `networks`, `training`, `initializers` and `mobilenet`; all
of them without any. It runs on the CPU with the versions in requirements.txt,
and writes the same again when run again. Keras runs on TensorFlow, where its
layers come from; on its PyTorch backend, averages of pools with `same` padding
are others, as they take in the padding.

Arrays are float32, class numbers int64, and none has rank 0: a number is of
shape (1,). Images and sequences are channels last. LAYER/WEIGHT is a weight by
the product's name of the layer and Keras's of the weight: `conv2d_1/kernel`,
`bidirectional/forward/recurrent_kernel`, `normalization/mean`. CASE is the name
of a case in the section of cases.yaml.

layers.npz, section `layers`:
    CASE/input, CASE/output         the output in inference
    CASE/weights/LAYER/WEIGHT       all weights, those that are not trained too
    CASE/rows                       what `normalization` took mean and variance of
  unless `mode: inference`:
    CASE/coefficients               of a loss sum(output * coefficients)
    CASE/gradients/input            its gradient, in inference
    CASE/gradients/LAYER/WEIGHT     the same, of every trainable weight
  only with `mode: training`:
    CASE/training/output, CASE/training/gradients/...   the same in training
    CASE/training/updated/LAYER/WEIGHT                  moving statistics thereafter

networks.npz, section `networks`:
    CASE/inputs, CASE/labels        all examples; targets are one-hot
    CASE/batches                    (steps, batch): which examples a step takes
    CASE/before/LAYER/WEIGHT, CASE/after/LAYER/WEIGHT   all weights
    CASE/losses                     (steps,), each before the weights' step, with
                                    what regularizers add
    CASE/output/before, CASE/output/after   of all inputs, in inference

training.npz:
    quadratic/{a,b,start}/{0,1}     of sum(a * (x - b)^2) / 2, over two variables
    optimizers/CASE/rates           (steps,): the learning rate of each step
    optimizers/CASE/after/{0,1}     (steps, ...): a variable after each step
    schedules/CASE/...              the same; 4 steps an epoch
    losses/CASE/labels or targets   the latter where a case has no labels
    losses/CASE/logits              unless the loss is mean_squared_error
    losses/CASE/outputs             softmax or sigmoid of them
    losses/CASE/class_weights       (classes,), where the case weighs classes; two
                                    for one output
    losses/CASE/loss
    losses/CASE/gradients/{logits,outputs}
    regularized/CASE/{inputs,labels,loss,penalty}   the loss contains the penalty
    regularized/CASE/weights/LAYER/WEIGHT, regularized/CASE/gradients/LAYER/WEIGHT
    metrics/CASE/{probabilities,labels,accuracy}
    metrics/CASE/top_K_accuracy     for each K of the case's `top_k`
    metrics/CASE/{precision,recall,f1}              macro: of all classes alike
    metrics/CASE/{precision,recall,f1}_of_classes   0 where undefined
    metrics/CASE/recall_variance    of recall_of_classes, divided by their number

mobilenet_v2.npz: torchvision's features for a width of 0.1, in inference:
    input, output                   channels last
    coefficients, gradients/input   as in layers.npz
    weights/NAME                    NAME as torchvision has it, layout too; float16

initializers.json, section `initializers`: per weight its shape, and what many
draws of it have in common: mean, variance, min and max, `limit` of a uniform
distribution, `orthogonal_within` (largest entry of kernel * transpose - 1), or
`always` for a constant.

counts.json: output shape, and parameters in total and trainable, as Keras
reports them; sections `layers` and `networks` as above, `published` with each
layer's, `mobilenet_v2` by width with names and shapes of all weights. Keras
counts one more for `normalization`: a number of rows that it does not use.
"""

import importlib
import os
import sys

# Before anything imports Keras: the backend that defines it, on one thread of
# the CPU, without the library that reorders sums.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

PARTS = ["layers", "networks", "training", "initializers", "mobilenet"]

for part in sys.argv[1:] or PARTS:
    importlib.import_module(part).write()
