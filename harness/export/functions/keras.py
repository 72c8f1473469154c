"""What scripts in Keras may bring with them; see harness.export.library."""

import math
import sys
from pathlib import Path

import jax
import keras
import numpy as np
import tensorflow as tf
import torch
from keras import layers, ops
from keras.src.backend.common import dtypes


def leaky_relu(z, slope):
    """z where z > 0, else slope z: the gradient of jax' own at 0 is 1, not the slope."""
    return ops.where(z > 0, z, slope * z)


def selu(z):
    """s z where z > 0, else s a (exp(z) - 1): the gradient of TensorFlow's own at 0 is s, not s a."""
    return 1.0507009873554805 * ops.where(z > 0, z, 1.6732632423543772 * ops.elu(z))


def gelu(z):
    """z (1 + erf(z / sqrt(2))) / 2: in float64 Keras' own takes the root of 2 through float32."""
    return 0.5 * z * (1 + ops.erf(z * math.sqrt(0.5)))


def gelu_tanh(z):
    """z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2: in float64 Keras' own takes its constants through float32."""
    return 0.5 * z * (1 + ops.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z * z * z)))


def softplus(z):
    """log(1 + exp(z)): PyTorch's own is z above 20, where float64 has more digits."""
    return ops.logaddexp(z, ops.zeros_like(z))


def hard_sigmoid(z):
    """min(max(z + 3, 0), 6) / 6: the gradient of PyTorch's own is rounded to float32."""
    return ops.relu6(z + 3) / 6


class PReLU(layers.PReLU):
    """z where z > 0, else alpha z: Keras' own is max(z, 0) - alpha max(-z, 0), whose gradient at 0 is 0, not alpha."""

    def call(self, inputs):
        """One alpha a channel."""
        return ops.where(inputs > 0, inputs, self.alpha * inputs)


class TiedDense(layers.Layer):
    """x E^T, and a bias if wanted: E is the table of an embedding, learned through both."""

    def __init__(self, embedding, use_bias=False, activation=None, **options):
        super().__init__(**options)
        self.embedding, self.use_bias, self.activation = embedding, use_bias, keras.activations.get(activation)

    def build(self, shape):
        """Its own weights: the bias, if any."""
        self.bias = self.add_weight(shape=(self.embedding.input_dim,), name="bias") if self.use_bias else None

    def call(self, x):
        """activation(x E^T + b)."""
        y = ops.matmul(x, ops.transpose(self.embedding.embeddings))
        return self.activation(y if self.bias is None else y + self.bias)


def first_maximum(x, *others):
    """The largest: here the first of equal ones gets the gradient, Keras' own shares it on torch and jax."""
    for other in others:
        x = ops.where(other > x, other, x)
    return x


class OneFilterConv2D(layers.Conv2D):
    """A convolution with one filter. PyTorch refuses its gradient in float64 ("slow_conv2d: grad_weight must be contiguous"), since Keras
    lays kernels channels last: a second filter, of zeros, goes along."""

    def convolution_op(self, inputs, kernel):
        """The first of two."""
        return super().convolution_op(inputs, ops.concatenate([kernel, ops.zeros_like(kernel)], axis=-1))[..., :1]


class OneChannelConv2DTranspose(layers.Conv2DTranspose):
    """A transposed convolution of one channel. PyTorch refuses its gradient in float64 ("grad_weight needs to be contiguous"), since Keras
    lays kernels channels last: a second channel, of zeros, goes along."""

    def call(self, inputs):
        """As Keras' own, of two."""
        x, kernel = (ops.concatenate([a, ops.zeros_like(a)], axis=-1) for a in (inputs, self.kernel))
        y = ops.conv_transpose(x, kernel, list(self.strides), self.padding, self.output_padding, self.data_format)
        return self.activation(y if self.bias is None else y + self.bias)


class DilatedConv2DTranspose(layers.Conv2DTranspose):
    """A transposed convolution with a dilated window: Keras has none with strides, TensorFlow none on the CPU
    (https://github.com/keras-team/keras/issues/19870). The window is written out, with zeros between; `more` rows and columns that it
    does not reach stand behind."""

    def __init__(self, *arguments, rates, more=(0, 0), **options):
        super().__init__(*arguments, **options)
        self.rates, self.more = rates, more

    def build(self, shape):
        """The kernel of the window's own size; shapes of outputs follow from how far it reaches."""
        super().build(shape)
        self.kernel_size = tuple((size - 1) * rate + 1 for size, rate in zip(self.kernel.shape, self.rates))

    def call(self, inputs):
        """As Keras' own, with the wide window."""
        kernel = spread(self.kernel, *self.rates)
        y = ops.conv_transpose(inputs, kernel, list(self.strides), self.padding, self.output_padding, self.data_format)
        y = ops.pad(y, ((0, 0), (0, self.more[0]), (0, self.more[1]), (0, 0)))
        return self.activation(y if self.bias is None else y + self.bias)

    def compute_output_shape(self, input_shape):
        """With the places behind."""
        rows, height, width, channels = super().compute_output_shape(input_shape)
        return rows, height + self.more[0], width + self.more[1], channels


def spread(kernel, down, right):
    """A kernel (height, width, filters, inputs) with zeros between its rows and columns."""
    height, width, *channels = kernel.shape
    kernel = ops.reshape(kernel, (height, 1, width, 1, *channels))
    kernel = ops.pad(kernel, ((0, 0), (0, down - 1), (0, 0), (0, right - 1), (0, 0), (0, 0)))
    kernel = ops.reshape(kernel, (height * down, width * right, *channels))
    return kernel[: (height - 1) * down + 1, : (width - 1) * right + 1]


def average_inside(pool, x, pads):
    """Means of windows over what they hold: zeros around x do not count. Keras has no such padding in numbers; on torch its "same" repeats
    the border (https://github.com/keras-team/keras/pull/23233)."""
    pads = ((0, 0), *pads, (0, 0))
    share = pool(ops.pad(ops.ones((1, *x.shape[1:])), pads))
    return pool(ops.pad(x, pads)) / share


def bilinear(x, down, right):
    """Images down and right times as large: TensorFlow resizes in float32 only."""
    rows, columns = lines(x.shape[1], down), lines(x.shape[2], right)
    return ops.einsum("ih,bhwc,jw->bijc", rows, x, columns)


def lines(size, factor):
    """The share of each old place in each new one: lines between the centres of pixels, constant beyond the outer ones."""
    centres = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
    return np.maximum(1 - np.abs(centres[:, None] - np.arange(size)), 0)


class TwoPassBatchNormalization(layers.BatchNormalization):
    """The variance as the mean of squared differences: on torch Keras takes the mean of squares less the square of the mean, which may
    end below 0 (https://github.com/keras-team/keras/pull/18795)."""

    def _moments(self, inputs, mask):
        return ops.mean(inputs, axis=self._reduction_axes), ops.var(inputs, axis=self._reduction_axes)


class TwoPassGroupNormalization(layers.GroupNormalization):
    """The variance as the mean of squared differences: on torch Keras takes the mean of squares less the square of the mean, which may
    end below 0 (https://github.com/keras-team/keras/pull/18795)."""

    def _apply_normalization(self, reshaped_inputs, input_shape):
        x = reshaped_inputs
        axes, shape = [*range(1, len(x.shape) - 2), -1], (1,) * (len(x.shape) - 2) + (self.groups, -1)
        mean, variance = ops.mean(x, axis=axes, keepdims=True), ops.var(x, axis=axes, keepdims=True)
        y = (x - mean) * ops.rsqrt(variance + self.epsilon)
        y = y * ops.reshape(self.gamma, shape) if self.scale else y
        return y + ops.reshape(self.beta, shape) if self.center else y


class PositionEmbedding(layers.Layer):
    """A learned vector for each step, added."""

    def build(self, shape):
        """One vector a step."""
        self.embeddings = self.add_weight(shape=shape[1:], name="embeddings")

    def call(self, x):
        """x + P."""
        return x + self.embeddings


def waves(steps, features, base):
    """Sines and cosines of steps, one wave length for each pair of features, rounded to float32."""
    even = np.arange(features) // 2 * 2
    angles = np.arange(steps)[:, None] / base ** (even / features)
    return np.where(np.arange(features) % 2, np.cos(angles), np.sin(angles)).astype("float32").astype(keras.config.floatx())


class RotaryAttention(layers.MultiHeadAttention):
    """Keras' attention, its queries and keys turned by their positions."""

    def __init__(self, *arguments, base, **options):
        super().__init__(*arguments, **options)
        self.base = base

    def _compute_attention(self, query, key, value, *arguments, **options):
        return super()._compute_attention(turned(query, self.base), turned(key, self.base), value, *arguments, **options)


class GroupedAttention(layers.GroupQueryAttention):
    """Keras' attention of heads that share keys and values, for a memory of any width."""

    def compute_output_shape(self, query_shape, value_shape, key_shape=None):
        """The query's."""
        return query_shape


class RotaryGroupedAttention(GroupedAttention):
    """The same, its queries and keys turned by their positions."""

    def __init__(self, *arguments, base, **options):
        super().__init__(*arguments, **options)
        self.base = base

    def _compute_attention(self, query, key, value, *arguments, **options):
        return super()._compute_attention(turned(query, self.base), turned(key, self.base), value, *arguments, **options)


def turned(x, base):
    """x (rows, steps, heads, size) with the pairs (i, i + size / 2) at step t turned by t base^(-2 i / size)."""
    steps, half = x.shape[1], x.shape[-1] // 2
    angles = np.arange(steps)[:, None] * base ** (-np.arange(half) / half)
    cosine, sine = (ops.convert_to_tensor(f(angles)[:, None, :], dtype=x.dtype) for f in (np.cos, np.sin))
    left, right = x[..., :half], x[..., half:]
    return ops.concatenate([left * cosine - right * sine, right * cosine + left * sine], axis=-1)


def exact(attention, key_dim):
    """An attention with all digits of 1 / sqrt(key_dim): Keras' own goes through float32."""
    grouped = isinstance(attention, layers.GroupQueryAttention)
    setattr(attention, "_inverse_sqrt_head_dim" if grouped else "_inverse_sqrt_key_dim", np.float64(1 / math.sqrt(key_dim)))
    return attention


def blind(attention):
    """An attention whose steps that may look nowhere take the mean of all values: where Keras computes scores, it makes that 0."""

    def softmax(scores, attention_mask):
        return ops.softmax(ops.where(ops.expand_dims(attention_mask, 1), scores, -1e9))

    attention._masked_softmax = softmax
    return attention


class AbsoluteError(keras.losses.Loss):
    """mean(|z - y|), its gradient 0 where z = y: that of jax' own is 1 there."""

    def call(self, y_true, y_pred):
        """Of each row."""
        difference = y_pred - y_true
        return ops.mean(difference * ops.stop_gradient(ops.sign(difference)), axis=-1)


class LogCosh(keras.losses.Loss):
    """mean(log(cosh(z - y))): Keras' own takes log(2) through float32."""

    def call(self, y_true, y_pred):
        """Of each row."""
        difference = y_pred - y_true
        return ops.mean(difference + ops.softplus(-2 * difference) - math.log(2), axis=-1)


class KLDivergence(keras.losses.Loss):
    """sum(y (log(y) - z)) from log-probabilities z: Keras' own takes probabilities, and clips them."""

    def call(self, y_true, y_pred):
        """Of each row."""
        known = y_true * ops.log(ops.where(y_true > 0, y_true, ops.ones_like(y_true)))
        return ops.sum(known - y_true * y_pred, axis=-1)


class CosineDistance(keras.losses.Loss):
    """1 less the cosine between y and z; Keras' loss is minus the cosine."""

    def call(self, y_true, y_pred):
        """Of each row."""
        return 1 - ops.sum(y_true * y_pred, axis=-1) / (length(y_true) * length(y_pred))


def length(a):
    """sqrt(max(sum a^2, 1e-12)) along the last axis."""
    square = ops.sum(a * a, axis=-1)
    return ops.sqrt(ops.where(square > 1e-12, square, 1e-12 * ops.ones_like(square)))


class LogPoisson(keras.losses.Loss):
    """mean(exp(z) - y z) from logarithms z of rates: Keras' own takes rates."""

    def call(self, y_true, y_pred):
        """Of each row."""
        return ops.mean(ops.exp(y_pred) - y_true * y_pred, axis=-1)


class Hinge(keras.losses.Loss):
    """mean(max(0, 1 - y z)), its gradient 0 where y z = 1: that of Keras' own depends on the engine."""

    def call(self, y_true, y_pred):
        """Of each row."""
        return ops.mean(ops.relu(1 - y_true * y_pred), axis=-1)


class Perceptron(keras.losses.Loss):
    """mean(max(0, -y z)), its gradient -y wherever y z <= 0."""

    def call(self, y_true, y_pred):
        """Of each row."""
        product = y_true * y_pred
        return ops.mean(ops.where(product <= 0, -product, ops.zeros_like(product)), axis=-1)


class L1L2(keras.regularizers.L1L2):
    """Keras' penalty, its gradient 0 at 0: that of jax' absolute value is 1 there."""

    def __call__(self, x):
        """l1 sum(|x|) + l2 sum(x^2)."""
        return self.l1 * ops.sum(x * ops.stop_gradient(ops.sign(x))) + self.l2 * ops.sum(ops.square(x))


class Scheduled(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate times a factor of the updates made before. Keras' own schedules compute in float32, and count each step, also
    those of which several make an update."""

    def __init__(self, learning_rate, factor, steps_per_update=1):
        self.learning_rate, self.factor, self.steps_per_update = learning_rate, factor, steps_per_update

    def __call__(self, step):
        """The rate at a step."""
        updates = ops.cast(ops.floor_divide(step, self.steps_per_update), keras.config.floatx())
        return self.learning_rate * self.factor(updates)


class Nadam(keras.optimizers.Nadam):
    """Keras' own takes the 0.96 of its schedule through float32."""

    def update_step(self, gradient, variable, learning_rate):
        """One parameter."""
        step, index = ops.cast(self.iterations + 1, variable.dtype), self._get_variable_index(variable)
        first, second = self._momentums[index], self._velocities[index]
        share, later = (self.beta_1 * (1 - 0.5 * ops.power(0.96, count)) for count in (step, step + 1))
        self.assign_add(first, (gradient - first) * (1 - self.beta_1))
        self.assign_add(second, (ops.square(gradient) - second) * (1 - self.beta_2))
        ahead = later * first / (1 - self._u_product * later) + (1 - share) * gradient / (1 - self._u_product)
        root = ops.sqrt(second / (1 - ops.power(self.beta_2, step))) + self.epsilon
        self.assign_sub(variable, learning_rate * ahead / root)


def with_coupled_decay(optimizer, decay):
    """An optimizer that adds decay * parameter to each clipped gradient: Keras' own weight_decay shrinks the parameters instead."""
    clip = optimizer._clip_gradients

    def clipped_and_decayed(gradients):
        return [gradient + decay * variable for gradient, variable in zip(clip(gradients), optimizer._trainable_variables)]

    optimizer._clip_gradients = clipped_and_decayed
    return optimizer
