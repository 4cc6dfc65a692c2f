"""PyTorch, and what computes with networks."""

import io

import numpy as np
import torch
from skorch.callbacks import EpochScoring, GradientNormClipping, LRScheduler

from .data import CODED, GROUP, X, by_position, fair, plain, y
from .registry import row


@row("skorch", "callbacks", "``net_params={'callbacks': [...]}``")
def callbacks():
    given = [
        LRScheduler("StepLR", step_size=1),
        GradientNormClipping(1.0),
        EpochScoring("accuracy", on_train=True, name="train_accuracy"),
    ]
    model = fair(net_params={"callbacks": given}).fit(X, y, sensitive_features=GROUP)
    assert "train_accuracy" in model.history_


@row("PyTorch", "optimizers, modules", "``optimizer=torch.optim.NAdam``, ``module=`` a function")
def modules():
    def narrow(n_features, n_outputs):
        return torch.nn.Sequential(torch.nn.Linear(n_features, n_outputs))

    model = fair(optimizer=torch.optim.NAdam, module=narrow)
    model.fit(X, y, sensitive_features=GROUP)
    assert isinstance(model.module_, torch.nn.Sequential)


@row("PyTorch", "``torch.export``", "of ``module_``")
def export():
    module = plain().fit(X, y).module_
    rows = torch.tensor(X[:4], dtype=torch.float32)
    program = torch.export.export(module, (rows,))
    assert torch.allclose(program.module()(rows), module(rows))


@row("PyTorch", "``torch.compile``", "of ``module_``; training is not compiled")
def compiled():
    module = plain().fit(X, y).module_
    rows = torch.tensor(X[:4], dtype=torch.float32)
    faster = torch.compile(module, backend="eager")
    assert torch.allclose(faster(rows), module(rows))


@row("PyTorch", "``state_dict``", "of ``module_``, for PyTorch code")
def state_dict():
    model, buffer = plain().fit(X, y), io.BytesIO()
    torch.save(model.module_.state_dict(), buffer)
    buffer.seek(0)
    other = plain().fit(X, 1 - y)
    other.module_.load_state_dict(torch.load(buffer, weights_only=True))
    np.testing.assert_allclose(other.predict_proba(X), model.predict_proba(X), atol=1e-6)


@row("ONNX", "``to_onnx``, onnxruntime", ":doc:`persistence`", needs="skl2onnx onnxruntime")
def onnx():
    import onnxruntime

    from skfair.persistence import to_onnx

    model = by_position().fit(CODED, y)
    graph = to_onnx(model, CODED).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    found = session.run(["probabilities"], {"X": CODED.astype(np.float32)})[0]
    np.testing.assert_allclose(found, model.predict_proba(CODED), atol=1e-5)


@row("SHAP", "KernelExplainer", "of ``predict_proba``", needs="shap")
def shap_kernel():
    import shap

    model = fair().fit(X, y, sensitive_features=GROUP)
    explainer = shap.KernelExplainer(lambda rows: model.predict_proba(rows)[:, 1], X[:10])
    values = explainer.shap_values(X[:2], nsamples=20, silent=True)
    assert values.shape == (2, 6)


@row("SHAP", "GradientExplainer", "of ``module_``", needs="shap")
def shap_gradient():
    import shap

    module = fair().fit(X, y, sensitive_features=GROUP).module_
    rows = torch.tensor(X[:10], dtype=torch.float32)
    values = shap.GradientExplainer(module, rows).shap_values(rows[:2], nsamples=10)
    assert np.asarray(values).shape == (2, 6, 2)


@row("LIME", "LimeTabularExplainer", "of ``predict_proba``", needs="lime")
def lime():
    from lime.lime_tabular import LimeTabularExplainer

    model = fair().fit(X, y, sensitive_features=GROUP)
    explainer = LimeTabularExplainer(X, random_state=0)
    assert explainer.explain_instance(X[0], model.predict_proba, num_samples=50).as_list()
