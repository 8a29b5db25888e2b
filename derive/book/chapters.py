"""The chapters of the book: their titles, and how each opens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Chapter:
    """How a chapter opens, and what its formulas do to the space that they act on."""

    title: str
    opening: str
    geometry: str


# In the order of the book; a chapter that is not named here follows, opened by its own first line.
CHAPTERS: Mapping[str, Chapter] = {
    "linear": Chapter(
        "Linear maps",
        "Almost every layer begins with a weighted sum. A linear map takes each output as a mixture of all inputs, "
        "and its gradient runs the same weights backwards: what the forward pass multiplies by W, the backward pass "
        "multiplies by the transpose of W.",
        "A linear map turns, stretches and shears space and keeps the origin; with a shift it moves it. Its "
        "derivative is the map itself, the same at every point.",
    ),
    "activations": Chapter(
        "Activations",
        "Without something that is not linear between them, two linear maps are one. An activation acts on each "
        "entry alone, so its Jacobian is diagonal and its gradient is a product, entry by entry.",
        "An activation bends every axis by one and the same curve. Where the curve is steep the gradient passes, "
        "where it is flat it is lost.",
    ),
    "losses": Chapter(
        "Losses",
        "A loss says in one number how far a prediction is from its target. Its gradient is where everything else "
        "starts: the arrow that backpropagation carries back through the network.",
        "A loss is a landscape over the predictions, lowest where they are right. The gradient points uphill; its "
        "length says how steep it is.",
    ),
    "classification": Chapter(
        "Classification",
        "When the target is one of C classes, predictions are C scores, and the loss compares the score of the "
        "right class with the others. Gathers (a row by its index) and deltas meet here.",
        "Scores are points in a space with one axis for every class; the regions where one class wins meet at kinks.",
    ),
    "objectives": Chapter(
        "Objectives",
        "Losses that a paper made for its task: overlap of segments, contrast of pairs, preferences, policies. All "
        "of them are sums of the few functions of the chapters before.",
        "An objective trades several wishes against each other; its gradient is the sum of the pulls.",
    ),
    "penalties": Chapter(
        "Similarities and penalties",
        "How alike two vectors are, and how large or how rough a set of weights is. Most of these are quotients or "
        "norms: their gradients project out the direction in which nothing changes.",
        "A distance has the unit vector as its gradient; a cosine does not change along its own vector, so its "
        "gradient stands at a right angle to it.",
    ),
    "normalisation": Chapter(
        "Normalisation",
        "Centre, scale to unit variance, stretch and shift. Every output depends on every input of its group "
        "through mean and variance, which is why the gradient has three terms.",
        "Normalisation projects a vector to a sphere in the plane where its entries sum to zero. Its gradient lies "
        "in the tangent of that sphere: it has neither a constant part nor one along the vector itself.",
    ),
    "noise": Chapter(
        "Noise",
        "Dropout and its relatives draw at random. What is drawn is an input here, so that a layer is a function "
        "and has a derivative; the expectation is taken by whoever draws.",
        "Noise moves a point within a cloud; with the draw held fixed, the layer is as smooth as any other.",
    ),
    "embedding": Chapter(
        "Embeddings",
        "A row of a table for every index. Looking up is linear in the table, and its gradient adds each upstream "
        "row to the row that it came from.",
        "An embedding puts words, nodes or users as points into a space in which distances mean something.",
    ),
    "convolution": Chapter(
        "Convolutions",
        "Every window of an image against every kernel. In indices a convolution is a linear map whose weights "
        "depend on differences of places alone; its gradient is a convolution again.",
        "A convolution looks everywhere for one pattern. Shifting the image shifts the answer.",
    ),
    "pooling": Chapter(
        "Pooling",
        "The largest entry, the mean or a norm of every window. A maximum sends the gradient to the entry that won, "
        "a mean shares it out equally.",
        "Pooling forgets where within a window something was, and keeps that it was there.",
    ),
    "directions": Chapter(
        "Rectangular windows",
        "The same windows, with a stride, a padding and a dilation for each direction.",
        "An image may be looked at more coarsely along one direction than along another.",
    ),
    "shapes": Chapter(
        "Shapes",
        "Entries that move, repeat or leave. These layers compute nothing; their gradients move everything back, "
        "and add up where an entry was used more than once.",
        "A change of shape is a map between places, and its transpose is the way back.",
    ),
    "resampling": Chapter(
        "Resampling",
        "What an image holds between its places. Interpolation is a weighted sum of neighbours, linear in the "
        "image, and differentiable in the place that is asked for, between the kinks.",
        "An image is thought of as a surface over its grid, and is read where there is no grid point.",
    ),
    "attention": Chapter(
        "Attention",
        "Every query takes a mean of the values, weighted by how well their keys fit it. Two linear maps with a "
        "softmax between them: its gradient combines the chapters on linear maps and on softmax.",
        "The weights of a query are a point of a simplex; the output is a point in the convex hull of the values.",
    ),
    "networks": Chapter(
        "Networks",
        "Layers composed. Nothing new is differentiated here: the chain rule puts together what the chapters before "
        "have derived, one adjoint for every intermediate.",
        "A network bends space in many small steps; the gradient follows them back one at a time.",
    ),
    "targets": Chapter(
        "What is held constant",
        "Sometimes a number is to be used but not to be learnt: a target that another network gives, a choice that "
        "jumps and has no slope, the state at which a long sequence is cut. sg(x) is such a number: its value is x, "
        "and its derivative is 0, by definition. So the gradient is no longer that of the value; it is that of the "
        "same formula with the number written in.",
        "The landscape is looked at along some directions only; along the others it is frozen where it is.",
    ),
    "recurrence": Chapter(
        "Recurrences",
        "A sequence is read one step after another. What is known so far is kept in a state, and each step makes "
        "the next state from the last one and from what is read: the same function with the same weights, again and "
        "again. So the chain rule goes back through every step, and the gradient of a weight is a sum over all of "
        "them; this is called backpropagation through time.",
        "The state is a point that moves at every step. Each step stretches or shrinks the distance between two "
        "such points; after many steps the factors have multiplied, and a gradient has vanished or grown beyond "
        "bounds. Gates leave a way along which the factor is near 1.",
    ),
    "sequences": Chapter(
        "Networks over sequences",
        "The same recurrences, as they are used: sentences of several lengths side by side, each of which stops at "
        "its own end; readers that go from both ends at once; a decoder that looks back at all that was read, and "
        "gives each place a weight; a model that guesses the next character of a text.",
        "A sequence that has ended stands still, so nothing after its end moves any weight. Looking back is a short "
        "cut: the gradient reaches a distant step at once, and not by way of all steps between.",
    ),
    "stacks": Chapter(
        "Layers of recurrences",
        "What one recurrent layer puts out, the next one reads. The number of layers is a length like any other: the "
        "network is a recurrence over layers, and each of its steps is a recurrence over time. The gradient runs "
        "back through both, from the last layer down and from the last step back.",
        "A grid of states, layers upwards and time to the right. Each state is made of the one on its left and the "
        "one below; the gradient comes from the right and from above.",
    ),
    "paths": Chapter(
        "Sums over paths",
        "Often many sequences of hidden choices could explain what is seen: an alignment, a tagging, a sequence of "
        "states. A sum over all of them has more terms than could ever be added. But sequences that agree up to a "
        "step share what comes before it, so the sum is made step by step, in as many steps as the sequence is "
        "long. The gradient of its logarithm is a probability: how often a step is used, among all sequences "
        "weighted by how well they fit.",
        "The choices are the ways through a grid from left to right. What is summed at a place is the weight of all "
        "ways that lead to it; the derivative is the share of all ways that pass through it.",
    ),
    "optimisers": Chapter(
        "Optimisers",
        "The gradient says in which direction a loss grows. An optimiser goes the other way: it takes the weights, "
        "their gradient and what it remembers of earlier steps, and gives new weights. The simplest subtracts a "
        "small multiple of the gradient; others average gradients over time, so that noise cancels, or divide each "
        "entry by its usual size, so that all entries move alike. One step is a formula like any other, and has "
        "derivatives, too.",
        "Think of a ball on a landscape. Plain descent follows the steepest way down; momentum lets the ball keep "
        "its speed, through small hollows and along valleys; scaling by the size of past gradients makes a long, "
        "narrow valley rounder.",
    ),
    "recent_optimisers": Chapter(
        "More optimisers",
        "Variations on Adam and on momentum: what is divided by may be how far a gradient is from what was foretold, "
        "may gain and lose in equal steps, or may be held between two bounds; a layer's step may be as long as its "
        "weights say.",
        "Where gradients are as foretold, the landscape is smooth, and a long step is safe; where they surprise, a "
        "short one is better.",
    ),
    "layer_optimisers": Chapter(
        "Optimisers of whole layers",
        "The optimisers before treat every weight by itself. These look at a layer as a whole: at the length of its "
        "vector of weights, at the rows and columns of its matrix, or at how the loss bends. Most of them are short "
        "sequences of steps that earlier chapters know: norms, means, products of matrices, systems of linear "
        "equations.",
        "A step is a vector, and its length should fit the layer that it changes. Dividing by curvature turns an "
        "ellipse around the minimum into a circle, from whose rim the steepest way leads straight to the middle.",
    ),
    "gradient_transforms": Chapter(
        "Around a step",
        "What may be done to a gradient before an optimiser uses it, or to the weights after: weights are drawn "
        "towards zero (decay), gradients that are too long are cut (clipping), the sign is turned to go uphill "
        "(ascent), weights are averaged over time.",
        "Decay pulls every point towards the origin. Clipping by the norm moves a point outside a ball to the "
        "ball's rim and leaves its direction; clipping by value moves it into a box.",
    ),
    "schedules": Chapter(
        "Schedules",
        "How large a step should be depends on how far training has come: short at first, while nothing is settled, "
        "then long, and short again so that it comes to rest. A schedule is a function from the number of the step, "
        "a whole number, to the rate. Whole numbers do not move by small amounts, so that there is no derivative "
        "for the step; there is one for every other number in the formula.",
        "The curve of a rate over time: straight lines, stairs, halves of a cosine, or one arch.",
    ),
    "matrices": Chapter(
        "Functions of matrices",
        "A table of numbers stands for a linear map, and some questions are asked of the map as a whole: how to "
        "undo it (inverse), how much it blows up a volume (determinant), along which directions it only stretches "
        "(eigenvectors), and by how much (eigenvalues). No short formula for their entries is differentiated here. "
        "Each function is defined by an equation, such as A X = 1; the equation is differentiated by the product "
        "rule, and solved for what is asked.",
        "A matrix takes the unit ball to an ellipsoid. Its half-axes are the singular values, its volume is the "
        "determinant's size, and the inverse takes it back to the ball.",
    ),
    "linear_models": Chapter(
        "Linear models and Gaussians",
        "Where a loss is a square, the best weights solve a system of linear equations, and no training is needed: "
        "least squares, ridge, Gaussian processes, filters. What is solved can be differentiated all the same, for "
        "the data, the noise or a width, by the laws of functions of matrices.",
        "Least squares drops a perpendicular from the target to the plane of all predictions that the model can "
        "make. A Gaussian is an ellipsoid around its mean: its covariance says how long the axes are, and the "
        "squared length measured in these axes is what the exponent holds.",
    ),
}
