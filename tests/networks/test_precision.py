"""A network in double precision."""

import torch
from torch import nn

from skfair.networks._precision import double_precision

F64 = torch.float64


def test_double_precision_is_a_copy_in_evaluation_mode():
    module = nn.Sequential(nn.Linear(4, 2), nn.Dropout())
    double = double_precision(module)
    assert all(p.dtype == F64 for p in double.parameters())
    assert not any(part.training for part in double.modules())
    assert module[0].weight.dtype == torch.float32
    assert module.training
