"""What tools can read: types, signatures, and classes that are complete or say what they lack."""

import inspect
import re
import textwrap
from numbers import Real
from pathlib import Path
from typing import Unpack, get_type_hints

import pytest
from numpydoc.docscrape import NumpyDocString
from sklearn.base import clone
from sklearn.utils._param_validation import Interval, InvalidParameterError

import skfair
from skfair import FaiRNClassifier, NetworkClassifier
from skfair.objectives import Objective
from skfair.objectives.classification import classification_terms
from skfair.training import NetworkParameters, NeuralClassifier, inherit_parameters
from skfair.training._parameters import (
    BatchParameters,
    CommonParameters,
    NetworkParameterized,
    SamplingParameters,
    UnsizedParameters,
    WarmupParameters,
)

ESTIMATORS = [
    name
    for name in skfair.__all__
    if inspect.isclass(getattr(skfair, name))
    and issubclass(getattr(skfair, name), NetworkParameterized)
]
# Whose types the signatures do not need; without them mypy takes a few seconds.
SKIPPED = ("torch", "numpy", "pandas", "scipy", "sklearn", "skorch", "tqdm", "matplotlib")

# -- mypy ----------------------------------------------------------------------------------------


def snippet_of(name: str) -> str:
    parameters = inspect.signature(getattr(skfair, name)).parameters
    every = ", ".join(f"{p.name}={p.default!r}" for p in parameters.values())
    return textwrap.dedent(f"""
        {name}(lr="fast")  # wrong type: {name}
        {name}(learning_rate=1)  # unknown: {name}
        {name}({every})  # right: {name}
        reveal_type({name}(lr=1e-3).fit([[0.0]], [0]))  # fit: {name}
        reveal_type({name}().partial_fit([[0.0]], [0]))  # partial_fit: {name}
    """)


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    """What mypy says of each line, by the line's comment."""
    api = pytest.importorskip("mypy.api")
    folder = tmp_path_factory.mktemp("typing")
    code = f"from skfair import {', '.join(ESTIMATORS)}\n" + "".join(map(snippet_of, ESTIMATORS))
    (folder / "snippet.py").write_text(code)
    skipped = ",".join(f"{name},{name}.*" for name in SKIPPED)
    config = f"[mypy]\nignore_missing_imports = True\n[mypy-{skipped}]\nfollow_imports = skip\n"
    (folder / "mypy.ini").write_text(config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPYPATH", str(Path(skfair.__file__).parents[1]))
        out, err, _ = api.run(
            [
                *("--config-file", str(folder / "mypy.ini"), "--cache-dir", str(folder / "cache")),
                *("--follow-imports", "silent", str(folder / "snippet.py")),
            ]
        )
    assert not err
    lines = code.splitlines()
    said = {line.split("# ")[1]: [] for line in lines if "# " in line}
    for number, message in re.findall(r"snippet\.py:(\d+): (.*)", out):
        said[lines[int(number) - 1].split("# ")[1]].append(message)
    return said


@pytest.mark.parametrize("name", ESTIMATORS)
def test_mypy_rejects_a_value_of_the_wrong_type(messages, name):
    (message,) = messages[f"wrong type: {name}"]
    assert message.startswith('error: Argument "lr"')
    assert "expected \"float | Literal['auto']\"" in message


@pytest.mark.parametrize("name", ESTIMATORS)
def test_mypy_rejects_an_unknown_parameter(messages, name):
    message = messages[f"unknown: {name}"][0]
    assert message.startswith('error: Unexpected keyword argument "learning_rate"')


@pytest.mark.parametrize("name", ESTIMATORS)
def test_mypy_accepts_every_parameter_with_its_default(messages, name):
    assert messages[f"right: {name}"] == []


@pytest.mark.parametrize("name", ESTIMATORS)
def test_fit_returns_the_type_of_the_estimator(messages, name):
    (message,) = messages[f"fit: {name}"]
    assert re.fullmatch(rf'note: Revealed type is "skfair\.\w+\.{name}"', message)


@pytest.mark.parametrize("name", [n for n in ESTIMATORS if n != "LabelFlipClassifier"])
def test_partial_fit_returns_the_type_of_the_estimator(messages, name):
    (message,) = messages[f"partial_fit: {name}"]
    assert re.fullmatch(rf'note: Revealed type is "skfair\.\w+\.{name}"', message)


def test_typed_dicts_and_constructor_have_the_same_parameters():
    parameters = inspect.signature(NetworkParameterized).parameters
    hints = get_type_hints(NetworkParameterized.__init__)
    assert get_type_hints(NetworkParameters) == {name: hints[name] for name in parameters}


def test_partial_typed_dicts_lack_what_estimators_set_themselves():
    every = get_type_hints(NetworkParameters).keys()
    assert get_type_hints(BatchParameters).keys() == every - {"augment"}
    assert get_type_hints(WarmupParameters).keys() == every - {"augment", "sampling"}
    assert get_type_hints(SamplingParameters).keys() == every - {"warmup"}
    assert get_type_hints(UnsizedParameters).keys() == every - {"hidden_layer_sizes"}
    assert get_type_hints(CommonParameters).keys() == every - {"augment", "sampling", "warmup"}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_defaults_fit_their_constraints(name):
    getattr(skfair, name)()._validate_params()


# -- classes that inherit parameters -------------------------------------------------------------


class Plain(NeuralClassifier):
    def _wants_groups(self):
        return False

    def _make_objective(self, comparison, batch_size):
        return Objective(classification_terms)


class Helper:
    def help(self):
        return "helped"


class HelperWithInit:
    def __init__(self, helped=True):
        self.helped = helped


class HelperThatHandsOn:
    def __init__(self, **kwargs):
        super().__init__(**kwargs)


@pytest.mark.parametrize("decorate", [inherit_parameters(NeuralClassifier), lambda cls: cls])
def test_class_without_network_fails_when_it_is_defined(decorate):
    with pytest.raises(TypeError, match=r"Lossy.__init__ must take \*\*network .*'lr'"):

        @decorate
        class Lossy(Plain):
            def __init__(self, *, strength=1.0):
                super().__init__()
                self.strength = strength


def test_class_without_a_parameter_of_the_named_base_fails_when_it_is_defined():
    every = inspect.signature(NeuralClassifier).parameters

    class Whole(FaiRNClassifier):
        def __init__(self, **network):
            super().__init__(**network)

    Whole.__init__.__signature__ = inspect.Signature(
        [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD), *every.values()]
    )
    with pytest.raises(TypeError, match="FaiRNClassifier.__init__; .*'lambda_fairness'"):
        inherit_parameters(FaiRNClassifier)(Whole)


def test_undecorated_class_with_its_own_init_fails_when_it_is_made():
    class Undecorated(Plain):
        def __init__(self, *, strength=1.0, **network: Unpack[NetworkParameters]):
            super().__init__(**network)
            self.strength = strength

    with pytest.raises(TypeError, match="Undecorated lacks .*@inherit_parameters"):
        Undecorated()


def test_mixin_with_an_init_first_fails_when_the_class_is_defined():
    with pytest.raises(TypeError, match=r"Mixed.__init__ must take \*\*network"):

        class Mixed(HelperWithInit, Plain):
            pass


@pytest.mark.parametrize("decorate", [inherit_parameters(NeuralClassifier), lambda cls: cls])
def test_mixin_that_hands_on_what_it_does_not_name_fails_when_the_class_is_made(decorate):
    @decorate
    class Mixed(HelperThatHandsOn, Plain):
        pass

    with pytest.raises(TypeError, match="Mixed lacks"):
        Mixed()


def test_mixin_without_an_init_first_keeps_all_parameters():
    class Mixed(Helper, Plain):
        pass

    assert Mixed(lr=0.5).get_params() == Plain(lr=0.5).get_params()
    assert Mixed().help() == "helped"


def test_class_without_an_init_keeps_the_signature_of_its_base():
    @inherit_parameters(NeuralClassifier)
    class Simple(Plain):
        pass

    assert inspect.signature(Simple) == inspect.signature(NeuralClassifier)


@inherit_parameters(FaiRNClassifier)
class Strict(FaiRNClassifier):
    """FaiR-N with one parameter more.

    Parameters
    ----------
    strictness : float in [0, 1], default=0.5
        Its own.
    warmup : float in [0, 1], default=0.2
        Shorter.
    {network_parameters}

    Attributes
    ----------
    {attributes}
    """

    _parameter_constraints = {"strictness": [Interval(Real, 0, 1, closed="both")]}

    def __init__(self, *, strictness=0.5, warmup=0.2, **network):
        super().__init__(warmup=warmup, **network)
        self.strictness = strictness


def test_subclass_of_an_estimator_has_all_parameters():
    expected = FaiRNClassifier().get_params() | {"strictness": 0.5, "warmup": 0.2}
    assert Strict().get_params() == expected
    changed = clone(Strict(strictness=0.7, lambda_fairness=0.9, lr=0.1))
    assert (changed.strictness, changed.lambda_fairness, changed.lr) == (0.7, 0.9, 0.1)
    with pytest.raises(TypeError, match="learning_rate"):
        Strict(learning_rate=1)


def test_subclass_of_an_estimator_has_all_constraints():
    constraints = Strict._parameter_constraints
    assert constraints.keys() == FaiRNClassifier._parameter_constraints.keys() | {"strictness"}
    for wrong in ({"strictness": 2.0}, {"lambda_fairness": -1.0}, {"lr": 0.0}):
        with pytest.raises(InvalidParameterError, match=next(iter(wrong))):
            Strict(**wrong)._validate_params()


def test_subclass_of_an_estimator_has_a_whole_docstring():
    documented = NumpyDocString(Strict.__doc__)
    names = [name for entry in documented["Parameters"] for name in entry.name.split(", ")]
    assert sorted(names) == sorted(inspect.signature(Strict).parameters)
    (warmup,) = [entry.type for entry in documented["Parameters"] if entry.name == "warmup"]
    assert warmup == "float in [0, 1], default=0.2"
    inherited = NumpyDocString(FaiRNClassifier.__doc__)["Attributes"]
    assert documented["Attributes"] == inherited


def test_completing_a_class_leaves_its_base_alone():
    assert "strictness" not in FaiRNClassifier._parameter_constraints
    assert "lambda_fairness" not in NetworkClassifier._parameter_constraints
    assert "strictness" not in inspect.signature(FaiRNClassifier).parameters
    assert "lambda_fairness" not in inspect.signature(NetworkClassifier).parameters
