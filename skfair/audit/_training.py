"""Train on one part of a table, choose on another, audit on a third."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

from .. import NetworkClassifier
from .._groups import GroupEncoder
from . import _networks as networks
from ._choice import Candidate, choose, harms
from ._choice_text import candidate_text, headline, no_choice_text, rule_text
from ._errors import InputError
from ._log import Log
from ._validation import CONSTRAINTS, Validation

MAX_AUDITED_ROWS = 50_000
VALIDATION_SHARE = 0.25  # of the rows that are not audited


@dataclass(frozen=True)
class Parts:
    """Positions of the rows of each part; nobody is in two."""

    train: np.ndarray
    validation: np.ndarray
    audited: np.ndarray


@dataclass(frozen=True)
class TrainingResult:
    """What came out of training.

    Attributes
    ----------
    fair, plain : Pipeline
        The networks to be compared.
    names : tuple of str
        What they are called.
    parts : Parts
        The rows.
    headline : list of str
        How the first was chosen.
    provenance : dict of str to str
        The same at length.
    """

    fair: Pipeline
    plain: Pipeline
    names: tuple[str, str]
    parts: Parts
    headline: list[str]
    provenance: dict[str, str]


class Trainer:
    """Networks of one method for one table.

    Parameters
    ----------
    X : DataFrame of shape (n, n_features)
        Columns that may be used.
    y : ndarray of shape (n,)
        Outcomes, one of them favorable.
    groups : DataFrame of shape (n, n_attributes)
        Sensitive features.
    labels : tuple of label
        The favorable outcome and the other one.
    hidden : list of str
        Columns of X that the networks do not see.
    args : Namespace
        Parsed arguments.
    log : callable
        Told of the progress.
    """

    def __init__(
        self,
        X: pd.DataFrame,
        y: np.ndarray,
        groups: pd.DataFrame,
        labels: tuple[Any, Any],
        hidden: list[str],
        args: argparse.Namespace,
        log: Log,
    ) -> None:
        if not set(X.columns) - set(hidden):
            raise InputError("no column is left to decide by.")
        GroupEncoder().encode(groups)  # complains before the work is done
        self.X, self.y, self.groups, self.hidden = X, y, groups, hidden
        (self.accepting, self.refusing), self.args, self.log = labels, args, log
        self.method = networks.METHODS[args.method or "fairn"]
        self.constraint = args.constraint or self.method.constraints[0]
        if self.constraint not in self.method.constraints:
            raise InputError(
                f"--constraint {self.constraint} does not go with --method {args.method}, which "
                f"takes {', '.join(self.method.constraints)}."
            )
        given, usual = args.tolerance, CONSTRAINTS[self.constraint].tolerance
        self.tolerance = usual if given is None else given

    def train(self) -> TrainingResult:
        """Train a plain network and fair ones, and choose among these."""
        parts = self._split()
        validation = self._validation(parts.validation)
        if not validation.is_decisive():
            return self._train_one(parts)
        self.log(
            f"training on {len(parts.train):,} rows, choosing on {len(parts.validation):,}, "
            f"auditing on {len(parts.audited):,}"
        )
        models, candidates, rates = {}, [], {}
        for weight in (0.0, *self.method.weights):
            name = self.method.name(self.constraint, weight)
            models[name] = self._fit(weight, parts.train)
            accuracy, gap, rates[name] = validation.evaluate(models[name])
            harmed = tuple(harms(rates[networks.PLAIN_NAME], rates[name]))
            candidates.append(Candidate(name, weight, accuracy, gap, harmed))
            self.log(f"{name}: {candidate_text(candidates[-1], self.constraint)}")
        choice = choose(candidates, self.tolerance)
        compared = validation.compared_text()
        text = headline(choice, candidates, self.constraint, self.tolerance, compared)
        self.log(text)
        names = choice.shown.name, networks.PLAIN_NAME
        tried = (f"{c.name}: {candidate_text(c, self.constraint)}" for c in candidates)
        provenance = {
            "networks tried": "; ".join(tried),
            "rule of choice": rule_text(
                self.constraint,
                self.tolerance,
                validation.small_groups(),
                validation.compared_groups(),
            ),
        }
        fair, plain = (models[name] for name in names)
        return TrainingResult(fair, plain, names, parts, [text], provenance)

    def _train_one(self, parts: Parts) -> TrainingResult:
        """Train without a choice, where too few people would decide it."""
        train = np.concatenate([parts.train, parts.validation])
        parts = Parts(train, parts.validation[:0], parts.audited)
        self.log(f"training on {len(train):,} rows, auditing on {len(parts.audited):,}")
        weight = self.method.usual
        name = self.method.name(self.constraint, weight)
        text = no_choice_text(name)
        self.log(text)
        fair, plain = (self._fit(w, train) for w in (weight, 0.0))
        provenance = {"networks tried": f"the {name} only: too few people to choose by"}
        return TrainingResult(fair, plain, (name, networks.PLAIN_NAME), parts, [text], provenance)

    def _split(self) -> Parts:
        """Draw parts alike in outcomes and, where it can be, in groups."""
        cells = pd.Series(self.y).astype(str)
        for name in self.groups:
            finer = cells + "/" + self.groups[name].map(str).to_numpy()  # missing ones too
            if finer.value_counts().min() >= 10:
                cells = finer
        n, seed = len(self.y), self.args.seed
        try:
            rest, audited = train_test_split(
                np.arange(n),
                test_size=min(round(self.args.test_size * n), MAX_AUDITED_ROWS),
                stratify=cells,
                random_state=seed,
            )
            train, validation = train_test_split(
                rest, test_size=VALIDATION_SHARE, stratify=cells[rest], random_state=seed
            )
        except ValueError as error:
            raise InputError(
                f"{n} rows are too few to train on one part and audit on another: {error}"
            ) from error
        return Parts(train, validation, audited)

    def _validation(self, rows: np.ndarray) -> Validation:
        favorable = (self.y[rows] == self.accepting).astype(int)
        people, groups = self.X.iloc[rows], self.groups.iloc[rows]
        return Validation(people, favorable, self.accepting, groups, self.constraint)

    def _fit(self, weight: float, rows: np.ndarray) -> Pipeline:
        """Train a network on these rows, to the end."""
        self.log(f"training the {self.method.name(self.constraint, weight)}")
        kind = self.method.kind if weight else NetworkClassifier
        network = kind(
            **self.method.parameters(self.constraint, weight) if weight else {},
            unfavorable=self.refusing,
            **networks.training_parameters(self.args.network or "mlp", len(rows)),
            random_state=self.args.seed,
            verbose=not self.args.quiet,
        )
        seen = self.X.drop(columns=self.hidden)
        model = networks.pipeline(seen, self.groups.columns, network)
        model.fit(
            self.X.iloc[rows], self.y[rows], network__sensitive_features=self.groups.iloc[rows]
        )
        # skorch swallows Ctrl-C and keeps what there is
        if network.n_iter_ < network.settings_.max_epochs:
            raise KeyboardInterrupt
        return model
