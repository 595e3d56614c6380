"""The prediction grid: what a head says of every single cell of the grid that it pools.

A classifier that averages a grid answers with the mean of one answer per cell, so it can be read as a multiple-instance
learner whose instances are cells (Karjauv, "Rethinking Global Average Pooling", arXiv 2606.14555). There are two
readings:

============= ======================================================== ===============================================
reading       cell score s                                             claim
============= ======================================================== ===============================================
``frozen``    n S + b + p, with a norm's statistics of the whole image decomposes: the mean of the cells is z
``pointwise`` norm and head applied to the vector of each cell alone   none; ``PredictionGrid.gap`` says how far the
                                                                       mean is from z
============= ======================================================== ===============================================

Mean-pooled and flattened heads have the frozen reading. Behind max, log-sum-exp and attention pooling and poolings of
cell scores there is only the pointwise one. Behind mean pooling without a norm the two are equal, up to the evidence of
tokens without a position, which the frozen reading adds to the constant.

Of an output in a set, s is the frozen log-odds: the same combination of the cell's raw scores, with the image's own
weights of the alternatives, that gives z. Which output a cell *names* is the argmax of its raw scores. *Ours*: the part
of the paper that could be read does not say how a softmax head or a norm after the pooling is read.
"""
