"""A variational autoencoder of binary images."""
