"""The original, in Keras: digits by one convolution. It was trained elsewhere; the port has to compute the same."""

import keras
import numpy
from keras import layers
from sklearn.datasets import load_digits

images, digits = load_digits(return_X_y=True)
images = (images / 16).reshape(-1, 8, 8, 1).astype(numpy.float32)

model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.Conv2D(6, 3, strides=2, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dense(10),
    ]
)
model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))

if __name__ == "__main__":
    model.fit(images, digits, batch_size=64, epochs=1)
