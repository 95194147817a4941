//! Distributed hyperparameter search for libtorch networks.

