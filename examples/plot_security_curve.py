"""
The security curve of a support vector machine
==============================================

An attacker moves ten training points by at most the budget each, in every feature. The security
curve is the error on test points as a function of the budget.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer

from bilad.models import MaxDeviation, Perturbation, SupportVectorMachine, validation_loss
from bilad.solvers import attack, fit

# %%
# Standardised features; put your own data here. The attacker sees the validation points only.
X, y = load_breast_cancer(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
model = SupportVectorMachine(X[:100], y[:100])
loss = validation_loss(X[100:250], y[100:250])
moved = Perturbation.additive(model.data.shape, points=range(10))
test, truth = X[250:], y[250:]
clean = np.mean(fit(model).predict(test) != truth)

# %%
# The method "pgd" follows projected gradients of the loss, "corners" tries vertices of the box.
budgets = [0.25, 0.5, 1.0, 2.0, 3.0]
figure, ax = plt.subplots()
for method in ("pgd", "corners"):
    errors = [clean]
    for budget in budgets:
        problem = MaxDeviation(model, moved, budget, np.inf, deviation=loss)
        found = attack(problem, method, max_solves=60, closing="none")
        poisoned = fit(moved.apply(model, found.eps))
        errors.append(np.mean(poisoned.predict(test) != truth))
    print(f"{method:8}", " ".join(f"{error:.3f}" for error in errors))
    ax.plot([0.0, *budgets], errors, "o-", label=method)
ax.set(xlabel="budget in standard deviations", ylabel="test error")
ax.legend()
plt.show()
