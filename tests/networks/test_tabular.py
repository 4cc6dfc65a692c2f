import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from torch.func import functional_call, stack_module_state, vmap

from skfair.networks import TableLayout, TabularNetwork, learn_layout
from skfair.networks._build import build_module
from skfair.networks._inspection import first_layer, relu_layers, weight_layers
from skfair.networks.tabular import MemberMLP, NumberEmbedding, TabularMLP, bin_edges
from skfair.objectives.fairn import boundary_distance, forward_with_gradient_norm

nan = float("nan")


@pytest.fixture
def table():
    """Two numeric columns, of which the second has missing values, and a category between them."""
    rng = np.random.default_rng(0)
    amount = np.where(rng.random(60) < 0.2, nan, rng.exponential(1000, 60))
    return np.column_stack([rng.normal(size=60), rng.integers(0, 5, 60), amount])


@pytest.fixture
def layout(table):
    return learn_layout(table, {1: 5})


def network(layout, **kwargs):
    torch.manual_seed(0)
    return TabularNetwork(layout, 2, (6,), dtype=torch.float64, **kwargs)


# -- bin edges ---------------------------------------------------------------------------------


def test_few_values_are_edges_themselves():
    assert bin_edges(np.array([3.0, 1.0, 2.0, 1.0])).tolist() == [1, 2, 3]


def test_bins_hold_equally_many_rows():
    edges = bin_edges(np.random.default_rng(0).exponential(size=10_000), n_bins=10)
    counts = np.histogram(np.random.default_rng(0).exponential(size=10_000), edges)[0]
    np.testing.assert_allclose(counts, 1000, atol=2)


def test_many_equal_values_leave_the_bins_to_the_others():
    values = np.append(np.zeros(9200), np.arange(1, 801))
    edges = bin_edges(values, n_bins=32)
    assert len(edges) == 33
    # 800 others share 31 bins
    assert np.diff(edges).max() == pytest.approx(800 / 31, abs=2)


@given(
    npst.arrays(
        st.sampled_from([np.float32, np.float64]),
        st.integers(0, 200),
        elements=st.one_of(
            st.sampled_from([0.0, -1.0, 1e30, -1e30, 1e-45, -3e38, 3e38]),
            st.floats(-1e6, 1e6, width=32),
        ),
    )
)
def test_encoding_of_any_column_is_finite_and_ordered(values):
    layout = learn_layout(values[:, None], {})
    edges = layout.edges[0]
    assert len(edges) <= 33
    assert edges == sorted(set(edges))
    dtype = torch.from_numpy(values).dtype
    embedding = NumberEmbedding(layout, dtype)
    X = torch.from_numpy(np.sort(values)[:, None]).requires_grad_()
    encoded = embedding.encode(X)[0, :, :-1]
    assert ((encoded >= 0) & (encoded <= 1)).all()
    assert (encoded.diff(dim=0) >= 0).all()
    encoded.sum().backward()
    assert X.grad is None or X.grad.square().isfinite().all()


def test_layout_says_what_is_missing_and_what_is_constant():
    X = np.array([[1.0, nan, nan, 2.0, 0], [1.0, nan, 5.0, 3.0, 1]], dtype=np.float32)
    layout = learn_layout(X, {4: np.int64(2)})
    assert layout.edges == {0: [1.0], 1: [], 2: [5.0], 3: [2.0, 3.0]}
    assert layout.missing == [1, 2]
    assert layout.n_codes == {4: 2}
    assert type(layout.n_codes[4]) is int
    assert network(layout)(torch.tensor(X).double()).isfinite().all()


# -- encoding ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-5.0, [0, 0, 0]),
        (0.0, [0, 0, 0]),
        (0.5, [0.5, 0, 0]),
        (1.0, [1, 0, 0]),
        (3.0, [1, 2 / 3, 0]),
        (4.0, [1, 1, 0]),
        (7.0, [1, 1, 0.5]),
        (99.0, [1, 1, 1]),
    ],
)
def test_piecewise_linear_encoding(value, expected):
    """Bins [0, 1], [1, 4] and [4, 10]; the last component says that the number is missing."""
    embedding = NumberEmbedding(TableLayout(1, edges={0: [0, 1, 4, 10]}))
    encoded = embedding.encode(torch.tensor([[value]]))
    torch.testing.assert_close(encoded, torch.tensor([[[*expected, 0.0]]]))


def test_missing_number_has_a_component_of_its_own_where_some_were_missing():
    layout = TableLayout(2, edges={0: [0, 2, 4], 1: [0, 2, 4]}, missing=[1])
    encoded = NumberEmbedding(layout).encode(torch.tensor([[nan, nan]]))
    middle, missing = encoded[:, 0].tolist()
    assert middle == [1, 0, 0]
    assert missing == [0, 0, 1]


def test_columns_with_fewer_bins_have_no_part_in_the_others():
    layout = TableLayout(2, edges={0: [0, 1], 1: [0, 1, 2, 3]})
    encoded = NumberEmbedding(layout).encode(torch.tensor([[0.25, 2.5], [9.0, 9.0]]))
    assert encoded[0].tolist() == [[0.25, 0, 0, 0], [1, 0, 0, 0]]
    assert encoded[1].tolist() == [[1, 1, 0.5, 0], [1, 1, 1, 0]]


def test_edges_keep_their_precision():
    edges = [1.7e9, 1.7e9 + 1, 1.7e9 + 2]  # of float32 they would be one
    embedding = NumberEmbedding(TableLayout(1, edges={0: edges}), torch.float64)
    encoded = embedding.encode(torch.tensor([[1.7e9 + 1.5]], dtype=torch.float64))
    assert encoded[0, 0].tolist() == [1, 0.5, 0]


def test_buffers_are_finite(layout):
    """They enter a mean of weights over steps."""
    lacking = TableLayout(2, edges={0: [], 1: [0.0, 1.0, 5.0]})
    for net in (network(layout, n_members=2), network(lacking)):
        assert all(buffer.isfinite().all() for buffer in net.buffers())


def test_code_has_its_vector_in_its_column():
    layout = TableLayout(3, n_codes={0: 3, 2: 4}, edges={1: [0, 1]})
    net = network(layout)
    weight = net.embeddings[1].weight
    embedded = net.embed(torch.tensor([[2.0, 0.5, 3.0]], dtype=torch.float64))
    torch.testing.assert_close(embedded[0, -16:], torch.cat([weight[2], weight[3 + 3]]))
    assert (weight[[0, 1, 3, 4]] == 0).all()  # missing, and rare or unseen
    assert (weight[[2, 5, 6]] != 0).all()


# -- the network -------------------------------------------------------------------------------


def test_gradient_with_respect_to_numbers(layout, table):
    net = network(layout)
    X = torch.from_numpy(table)
    X = X[~X.isnan().any(1)][:10] * torch.tensor([0.99, 1, 0.99])  # off the edges
    assert torch.autograd.gradcheck(lambda numbers: net(_with_numbers(X, numbers)), _numbers(X))


def _numbers(X):
    return X[:, [0, 2]].clone().requires_grad_()


def _with_numbers(X, numbers):
    return torch.stack([numbers[:, 0], X[:, 1], numbers[:, 1]], 1)


def test_gradient_with_respect_to_weights_by_differences(layout, table):
    net = network(layout)
    X = torch.from_numpy(table)
    state = {name: p.detach().clone() for name, p in net.named_parameters()}

    def loss(weight):
        return functional_call(net, state | {"embeddings.0.weight": weight}, (X,)).square().sum()

    weight = state["embeddings.0.weight"].requires_grad_()
    loss(weight).backward()
    with torch.no_grad():
        for index in [(0, 3, 1), (1, 10, 0), (1, -1, 2)]:  # the last one of missing numbers
            step = torch.zeros_like(weight)
            step[index] = 1e-6
            slope = (loss(weight + step) - loss(weight - step)) / 2e-6
            assert slope.item() == pytest.approx(weight.grad[index].item(), rel=1e-5)


def test_many_networks_under_vmap(layout, table):
    nets = [TabularNetwork(layout, 2, (6,), dtype=torch.float64) for _ in range(3)]
    X = torch.from_numpy(table)
    parameters, buffers = stack_module_state(nets)
    skeleton = copy.deepcopy(nets[0]).to("meta")

    def forward(parameters, buffers):
        return functional_call(skeleton, (parameters, buffers), (X,))

    expected = torch.stack([net(X) for net in nets])
    torch.testing.assert_close(vmap(forward)(parameters, buffers), expected)


@pytest.mark.parametrize("n_members", [1, 3])
def test_slope_is_that_in_the_embedding(layout, table, n_members):
    net = network(layout, n_members=n_members).eval()
    X = torch.from_numpy(table)
    logits, slope = forward_with_gradient_norm(net, X)
    torch.testing.assert_close(logits, net(X))
    embedded = net.embed(X).detach().requires_grad_()
    boundary_distance(net.after_embedding(embedded)).sum().backward()
    torch.testing.assert_close(slope, embedded.grad.norm(dim=1), rtol=1e-5, atol=1e-5)
    slope.sum().backward()
    assert net.mlp.output.weight.grad.isfinite().all()


def test_layers_known_of_the_network(layout):
    net = network(layout)
    assert weight_layers(net) == [net.mlp.hidden[0], net.mlp.output]
    assert first_layer(net) is None
    assert relu_layers(net) == []


def test_build_by_name(layout):
    net = build_module("tabular", (3,), 2, (5, 4), "tanh", 0.2, torch.float64, layout, 3)
    assert isinstance(net.mlp, MemberMLP)
    assert net.mlp.n_members == 3
    assert [layer.out_features for layer in weight_layers(net)] == [5, 4, 2]
    assert {p.dtype for p in net.parameters()} == {torch.float64}
    with pytest.raises(ValueError, match="tabular network takes tables"):
        build_module("tabular", (3, 8, 8), 2, (5, 4), "tanh", 0.2)
    with pytest.raises(ValueError, match="hidden_layer_sizes must be positive"):
        build_module("tabular", (3,), 2, (0,), "relu", 0.0, torch.float32, layout)


# -- members -----------------------------------------------------------------------------------


def member_by_hand(mlp, member, h):
    layers = [*mlp.hidden, mlp.output]
    for i, layer in enumerate(layers):
        h = h * (1 + mlp.scales_in[i][member]) * (mlp.signs[member] if i == 0 else 1)
        h = layer(h) * (1 + mlp.scales_out[i][member]) + mlp.biases[i][member]
        h = h.relu() if i + 1 < len(layers) else h
    return h


@pytest.fixture
def members(layout):
    net = network(layout, n_members=3)
    with torch.no_grad():
        for parameter in net.mlp.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net


@pytest.mark.parametrize("n_rows", [12, 11])
def test_rows_take_turns_with_members_in_training(members, table, n_rows):
    X = torch.from_numpy(table[:n_rows])
    logits = members(X)
    embedded = members.embed(X)
    for row in range(n_rows):
        expected = member_by_hand(members.mlp, row % 3, embedded[row])
        torch.testing.assert_close(logits[row], expected)


def test_evaluation_averages_the_members(members, table):
    X = torch.from_numpy(table)
    embedded = members.embed(X)
    by_member = [member_by_hand(members.mlp, j, embedded) for j in range(3)]
    torch.testing.assert_close(members.eval()(X), torch.stack(by_member).mean(0))


def test_dropout_leaves_the_mean_as_it_is():
    torch.manual_seed(0)
    mlp = TabularMLP(1, 2, (3,), dropout=0.3)
    dropped = mlp._drop(torch.ones(100_000))
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)  # standard error 0.002
    assert (mlp.eval()._drop(torch.ones(10)) == 1).all()


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("training", [False, True])
def test_many_rows_are_taken_in_parts(layout, table, n_members, training):
    net = network(layout, n_members=n_members).train(training)
    X = torch.from_numpy(np.tile(table, (150, 1)))
    expected = net(X)
    with torch.no_grad():
        torch.testing.assert_close(net(X), expected, rtol=1e-12, atol=1e-12)
