"""mobilenet_v2.npz: torchvision's MobileNetV2, under torchvision's names."""

import numpy as np
import torch
import torchvision
from store import save, save_counts

WIDTH = 0.1
# Odd sizes on the way down, where strides meet uneven edges.
INPUT = (2, 48, 40, 3)


def half(tensor):
    """Values that float16 holds exactly: small on disk, the same everywhere."""
    return tensor.half().float()


def features(width):
    return torchvision.models.mobilenet_v2(width_mult=width, weights=None).features.eval()


def named(network):
    return {
        f"features.{name}": values
        for name, values in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def scatter(network):
    for name, values in named(network).items():
        if values.dim() == 4:
            drawn = torch.randn_like(values) * (1.5 / values[0].numel()) ** 0.5
        elif name.endswith(("weight", "running_var")):
            drawn = torch.empty_like(values).uniform_(0.7, 1.3)
        else:
            drawn = torch.empty_like(values).uniform_(-0.3, 0.3)
        values.copy_(half(drawn))


def run(network, inputs, coefficients):
    """Output, channels last, and the input's gradient of sum(output * coefficients)."""
    inputs = inputs.clone().requires_grad_()
    outputs = network(inputs.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    if coefficients is None:
        return outputs.detach()
    (outputs * coefficients).sum().backward()
    return outputs.detach(), inputs.grad


def listed(width):
    shapes = {name: list(values.shape) for name, values in named(features(width)).items()}
    trainable = sum(
        int(np.prod(shape)) for name, shape in shapes.items() if "running_" not in name
    )
    total = sum(int(np.prod(shape)) for shape in shapes.values())
    return {"total": total, "trainable": trainable, "shapes": shapes}


def write():
    torch.manual_seed(4)
    torch.set_num_threads(1)
    network = features(WIDTH)
    with torch.no_grad():
        scatter(network)
    inputs = half(torch.empty(INPUT).uniform_(-1.0, 1.0))
    coefficients = half(torch.empty_like(run(network, inputs, None)).uniform_(-1.0, 1.0))
    outputs, gradient = run(network, inputs, coefficients)
    # Far from where relu6 bends, doubles find the same.
    exact, exact_gradient = run(network.double(), inputs.double(), coefficients.double())
    off = ((outputs - exact).abs().max(), (gradient - exact_gradient).abs().max())
    above = []
    for layer in network.modules():
        if isinstance(layer, torch.nn.ReLU6):
            layer.register_forward_hook(lambda _, __, out: above.append((out == 6).double().mean()))
    run(network, inputs.double(), None)
    print(
        f"  outputs reach {outputs.abs().max():.2f}, off by {off[0]:.1e};"
        f" gradients reach {gradient.abs().max():.2f}, off by {off[1]:.1e};"
        f" relu6 cuts off {torch.stack(above).mean():.1%} of its inputs"
    )
    assert off[0] < 1e-5 and off[1] < 1e-5 * gradient.abs().max()
    arrays = {
        "input": inputs,
        "output": outputs,
        "coefficients": coefficients,
        "gradients/input": gradient,
    }
    arrays = {key: values.numpy() for key, values in arrays.items()}
    for name, values in named(network).items():
        arrays[f"weights/{name}"] = values.float().numpy().astype("float16")
    save("mobilenet_v2", arrays)
    save_counts(mobilenet_v2={f"{width}": listed(width) for width in (1.0, 0.35, WIDTH)})
