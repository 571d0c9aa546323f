"""Complete trees as plain arrays: answers, attributions, and boosted trees as scikit-learn scores them."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.ensemble import IsolationForest as SklearnForest

from ml.export import exported, exported_boosting
from ml.trees import CompleteTrees

NAN = float("nan")
ONE_SPLIT = CompleteTrees(
    feature=np.array([[1]], dtype=np.uint8),
    threshold=np.array([[5.0]]),
    usual=np.array([[2.0]], dtype=np.float32),
    leaf=np.array([[1.0, 4.0]]),
    width=2,
)


def some_rows(count: int = 3000, absent: float = 0.2) -> NDArray[np.float64]:
    chance = np.random.default_rng(7)
    rows = chance.lognormal(size=(count, 4)).round(1)
    rows[chance.random((count, 4)) < absent] = NAN
    rows[:, 3] = np.nan_to_num(rows[:, 3])
    return rows


def boosted(rows: NDArray[np.float64], **parameters: object) -> HistGradientBoostingClassifier:
    fraud = (np.nan_to_num(rows[:, 0], nan=3) + np.nan_to_num(rows[:, 1], nan=-1) > 4).astype(float)
    model = HistGradientBoostingClassifier(max_iter=20, max_depth=5, early_stopping=False, **parameters)
    return model.fit(rows, fraud)


def test_a_value_on_a_threshold_keeps_left_and_one_above_goes_right() -> None:
    assert ONE_SPLIT.sums(np.array([[9.0, 5.0], [0.0, 5.1]])).tolist() == [1.0, 4.0]


def test_a_step_is_attributed_to_the_column_that_it_asks() -> None:
    assert ONE_SPLIT.attributions(np.array([[9.0, 5.0], [0.0, 5.1]])).tolist() == [[0.0, -1.0], [0.0, 2.0]]


def test_attributions_add_up_to_the_difference_from_the_usual_answer() -> None:
    rows = np.nan_to_num(some_rows())
    trees = exported(SklearnForest(n_estimators=20, random_state=7).fit(rows.astype(np.float32)), [0.0] * 4).trees

    given = rows[:50].astype(np.float32)

    expected = trees.sums(given) - trees.usual[:, 0].sum()
    assert trees.attributions(given).sum(axis=1) == pytest.approx(expected, abs=1e-3)


def test_the_usual_path_is_the_mean_over_the_training_rows_of_a_tree() -> None:
    rows = np.nan_to_num(some_rows(200)).astype(np.float32)
    model = SklearnForest(n_estimators=1, max_samples=200, random_state=7).fit(rows)
    trees = exported(model, [0.0] * 4).trees
    own = rows[model.estimators_samples_[0]]

    assert trees.usual[0, 0] == pytest.approx(trees.sums(own).mean(), rel=1e-6)


@pytest.mark.parametrize("seeds", [1, 3])
def test_exported_boosted_trees_score_as_scikit_learn_does(seeds: int) -> None:
    rows = some_rows()
    models = [boosted(rows, random_state=seed, max_features=0.5) for seed in range(seeds)]
    beyond = np.array([[np.inf] * 4, [-np.inf] * 4, [NAN] * 4, [1e308] * 4, [0.0] * 4])
    asked = np.vstack([rows, beyond])

    scores = exported_boosting(models).scores(asked)

    expected = np.mean([model.decision_function(asked) for model in models], axis=0)
    assert np.abs(scores - expected).max() < 1e-9


def test_values_beside_a_split_go_the_same_way_as_in_boosted_trees() -> None:
    rows = some_rows()
    model = boosted(rows)
    splits = np.concatenate([nodes["num_threshold"] for (each,) in model._predictors for nodes in [each.nodes]])
    on_splits = np.resize(splits, (1000, 4))

    scores = exported_boosting([model]).scores(on_splits)

    assert np.abs(scores - model.decision_function(on_splits)).max() < 1e-9


def test_values_that_were_never_absent_in_training_go_where_scikit_learn_sends_them() -> None:
    model = boosted(some_rows(absent=0))
    asked = some_rows()

    assert np.abs(exported_boosting([model]).scores(asked) - model.decision_function(asked)).max() < 1e-9


def test_a_split_between_known_and_absent_is_kept() -> None:
    rows = np.where(np.random.default_rng(7).random((500, 1)) < 0.5, NAN, 1.0)
    model = HistGradientBoostingClassifier(max_iter=3, early_stopping=False).fit(rows, np.isnan(rows[:, 0]))

    scores = exported_boosting([model]).scores(rows)

    assert np.abs(scores - model.decision_function(rows)).max() < 1e-9
    assert np.unique(scores).size == 2


def test_contributions_of_boosted_trees_name_the_columns_that_matter() -> None:
    rows = some_rows()
    model = exported_boosting([boosted(rows)])

    parts = model.contributions(np.array([[9.0, 9.0, 1.0, 1.0], [0.1, 0.1, 9.0, 9.0]]))

    assert parts.shape == (2, 4)
    assert set(np.argsort(-parts[0])[:2]) == set(np.argsort(parts[1])[:2]) == {0, 1}


@pytest.mark.parametrize(("nodes", "feature"), [(2, 0), (3, 9)])
def test_arrays_that_are_no_trees_are_refused(nodes: int, feature: int) -> None:
    with pytest.raises(ValueError, match=r"complete trees|a feature"):
        CompleteTrees(
            feature=np.full((1, nodes), feature, dtype=np.uint8),
            threshold=np.zeros((1, nodes)),
            usual=np.zeros((1, nodes)),
            leaf=np.zeros((1, nodes + 1)),
            width=2,
        )
