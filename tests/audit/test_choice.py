"""The rule by which a network is recommended: nobody pays, then the tolerance, then accuracy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skfair.audit._choice import Candidate, GroupRates, Harm, choose, harms
from skfair.audit._choice_text import candidate_text, headline, rule_text

PLAIN = Candidate("plain network", 0.0, accuracy=0.85, gap=2.0)
HARM = Harm("b", "acceptance", 0.3, 0.1)


def rates(accepted, true_positive, people=(200, 200), positives=(60, 60)):
    arrays = (np.array(values, dtype=float) for values in (accepted, true_positive))
    return GroupRates(["a", "b"], np.array(people), np.array(positives), *arrays)


def fair(weight, accuracy, gap, *harmed):
    return Candidate(f"fair network ({weight})", weight, accuracy, gap, harmed)


class TestHarms:
    def test_a_third_less_is_allowed_and_more_is_not(self):
        plain = rates([0.3, 0.3], [0.6, 0.6])
        assert harms(plain, rates([0.21, 0.2001], [0.9, 0.401])) == []
        found = harms(plain, rates([0.21, 0.19], [0.39, 0.6]))
        assert found == [
            Harm("b", "acceptance", 0.3, 0.19),
            Harm("a", "true positive rate", 0.6, 0.39),
        ]
        assert str(found[0]) == "acceptance of b 0.190 instead of 0.300"
        assert found[0].lost == pytest.approx(11 / 30)

    @pytest.mark.parametrize(
        ("people", "positives", "named"),
        [
            (100, 30, ["acceptance", "true positive rate"]),
            (99, 30, []),
            (100, 29, ["acceptance"]),
        ],
    )
    def test_small_groups_are_not_judged(self, people, positives, named):
        sizes = {"people": (people, 500), "positives": (positives, 100)}
        plain = rates([0.5, 0.5], [0.5, 0.5], **sizes)
        found = harms(plain, rates([0.1, 0.5], [0.1, 0.5], **sizes))
        assert [harm.rate for harm in found] == named
        assert all(harm.group == "a" for harm in found)

    def test_a_group_whom_nobody_accepted_before_cannot_lose(self):
        plain = rates([0.0, 0.5], [math.nan, 0.5], positives=(0, 60))
        assert harms(plain, plain) == []
        assert harms(plain, rates([0.0, 0.0], [math.nan, 0.0])) == [
            Harm("b", "acceptance", 0.5, 0.0),
            Harm("b", "true positive rate", 0.5, 0.0),
        ]

    @given(
        st.lists(st.floats(0, 1), min_size=8, max_size=8),
        st.lists(st.integers(0, 300), min_size=4, max_size=4),
    )
    def test_it_agrees_with_a_loop(self, values, sizes):
        people, positives = np.array(sizes[:2]), np.minimum(sizes[:2], sizes[2:])
        shares = np.reshape(values, (4, 2))
        plain = GroupRates(["a", "b"], people, positives, shares[0], shares[1])
        other = GroupRates(["a", "b"], people, positives, shares[2], shares[3])
        expected = []
        for name, before, after in (("acceptance", 0, 2), ("true positive rate", 1, 3)):
            for k in range(2):
                enough = people[k] >= 100 and (name == "acceptance" or positives[k] >= 30)
                if enough and shares[after][k] < shares[before][k] * (1 - 1 / 3):
                    expected.append((name, "ab"[k]))
        assert [(harm.rate, harm.group) for harm in harms(plain, other)] == expected


class TestChoose:
    def test_the_most_accurate_within_the_tolerance(self):
        close, accurate, best = fair(0.1, 0.84, 0.3), fair(0.2, 0.83, 0.1), fair(0.5, 0.82, 0.01)
        choice = choose([PLAIN, close, accurate, best], 0.25)
        assert choice.recommended is choice.shown is accurate
        assert choice.within

    def test_where_accuracies_are_equal_to_a_tenth_of_a_per_cent_the_smaller_gap(self):
        luckier, fairer = fair(0.1, 0.8404, 0.2), fair(0.2, 0.8396, 0.1)
        assert choose([PLAIN, luckier, fairer], 0.25).recommended is fairer
        assert choose([PLAIN, luckier, fair(0.2, 0.8394, 0.1)], 0.25).recommended is luckier

    def test_whoever_harms_somebody_is_passed_over_however_good(self):
        harmful, safe = fair(0.5, 0.9, 0.0, HARM), fair(0.1, 0.8, 0.2)
        assert choose([PLAIN, harmful, safe], 0.25).recommended is safe

    def test_without_one_within_the_tolerance_the_one_that_comes_closest(self):
        far, near = fair(0.1, 0.85, 1.0), fair(0.2, 0.83, 0.6)
        choice = choose([PLAIN, far, near, fair(0.5, 0.8, 0.1, HARM)], 0.25)
        assert choice.recommended is near
        assert not choice.within

    def test_where_all_harm_somebody_the_plain_network_and_the_least_harmful_beside_it(self):
        worse = fair(0.5, 0.9, 0.0, Harm("a", "acceptance", 0.3, 0.19), HARM)
        least = fair(0.1, 0.8, 0.3, Harm("a", "acceptance", 0.3, 0.12))
        choice = choose([PLAIN, worse, least], 0.25)
        assert choice.recommended is PLAIN
        assert choice.shown is least
        assert not choice.within

    def test_a_plain_network_within_the_tolerance_is_enough_unless_another_is_more_accurate(self):
        other = fair(0.1, 0.84, 0.0)
        choice = choose([PLAIN, other], 2.0)
        assert choice.recommended is PLAIN
        assert choice.shown is other
        assert choice.within
        assert choose([PLAIN, fair(0.1, 0.86, 0.0)], 2.0).recommended.weight == 0.1

    @given(
        st.lists(
            st.tuples(st.floats(0, 1), st.floats(0, 3), st.booleans()), min_size=1, max_size=6
        ),
        st.floats(0, 3),
    )
    def test_nobody_is_harmed_by_what_is_recommended(self, others, tolerance):
        candidates = [PLAIN] + [
            fair(k + 1, accuracy, gap, *[HARM] * harmful)
            for k, (accuracy, gap, harmful) in enumerate(others)
        ]
        choice = choose(candidates, tolerance)
        harmless = [c for c in candidates if not c.harms]
        allowed = [c.accuracy for c in harmless if c.gap <= tolerance]
        assert not choice.recommended.harms
        assert choice.shown.weight > 0
        assert choice.recommended in (choice.shown, PLAIN)
        assert choice.within == bool(allowed)
        if allowed:
            assert round(choice.recommended.accuracy, 3) == round(max(allowed), 3)
        else:
            assert choice.recommended.gap == min(c.gap for c in harmless)


class TestWords:
    def say(self, *candidates, tolerance=0.25):
        return headline(choose(candidates, tolerance), candidates, "recourse_gap", tolerance)

    def test_what_was_chosen_and_what_it_costs(self):
        says = self.say(PLAIN, fair(0.5, 0.84, 0.1))
        assert says.startswith("Chosen on a validation part, of 2 networks: the fair network (0.5)")
        assert "recourse gap 0.100 (plain network 2.000), accuracy 84.0% (plain network 85.0%)" in (
            says
        )
        assert says.endswith("the recourse gap was to be at most 0.25.")

    def test_what_was_reached_where_the_tolerance_was_not(self):
        says = self.say(PLAIN, fair(0.5, 0.84, 0.7))
        assert says.startswith("No network that was tried keeps the recourse gap to 0.25")
        assert "The fair network (0.5) comes closest on a validation part: recourse gap 0.700" in (
            says
        )

    def test_that_every_network_harms_somebody_and_whom(self):
        says = self.say(PLAIN, fair(0.5, 0.84, 0.1, HARM))
        assert says.startswith("Use none of the networks with a fairness term")
        assert "the least harmful, the fair network (0.5)" in says
        assert says.endswith("Worse off with it: acceptance of b 0.100 instead of 0.300.")

    def test_that_nothing_is_gained(self):
        says = self.say(PLAIN, fair(0.5, 0.84, 0.1), tolerance=3)
        assert says.startswith("The plain network is to be preferred: its recourse gap")
        assert "is 2.000, and 3 is allowed" in says
        says = self.say(PLAIN, fair(0.5, 0.84, 2.5))
        assert "no network with a fairness term has a smaller recourse gap" in says

    def test_among_whom_the_gap_is_measured(self):
        candidates = [PLAIN, fair(0.5, 0.84, 0.1)]
        asked_for = (choose(candidates, 0.25), candidates, "demographic_parity", 0.25)
        says = headline(*asked_for, "among the 2 groups of at least 100 people; 1 other was small")
        assert says.startswith(headline(*asked_for))
        assert says.endswith(
            "was to be at most 0.25. The demographic parity difference there is that among the 2 "
            "groups of at least 100 people; 1 other was small."
        )

    def test_the_rule_names_who_cannot_be_judged(self):
        says = rule_text("equalized_odds", 0.1, ["c"], ["a", "b"])
        assert "whose equalized odds difference is at most 0.1" in says
        assert "difference between two of these groups: a, b." in says
        assert says.endswith("Too small to be judged: c.")
        assert "Too small" not in rule_text("equalized_odds", 0.1, [], ["a", "b"])
        assert candidate_text(PLAIN, "demographic_parity") == (
            "accuracy 0.850, demographic parity difference 2.000"
        )
