"""Networks that read images: the two of "Deep Neuroevolution" and of deep Q-learning."""
