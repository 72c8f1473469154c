from __future__ import annotations

import time
from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

import tensorflow as tf

from benchmarks.expert.nets import NETS, Net, Train, batches, weights

def parts(net):
    V = [tf.Variable(p) for pair in weights(net) for p in pair]
    resident = [(tf.constant(x), tf.constant(y)) for x, y in batches(net)]
    def loss_of(x, y):
        for i, a in enumerate(net.activations):
            x = tf.nn.bias_add(tf.matmul(x, V[2*i]), V[2*i+1])
            if a: x = tf.nn.relu(x) if a == "relu" else tf.sigmoid(x)
        if net.loss == "mse":
            return tf.reduce_mean(tf.math.squared_difference(x, y))
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, x))
    return V, resident, loss_of

def raw(net, V):
    R = tf.raw_ops
    lr = tf.constant(net.learning_rate)
    if net.optimizer == "adam":
        M = [tf.Variable(tf.zeros_like(v)) for v in V]; S = [tf.Variable(tf.zeros_like(v)) for v in V]
        p1 = tf.Variable(1.0); p2 = tf.Variable(1.0)
        def update(grads):
            a = p1.assign(p1 * net.beta_1); b = p2.assign(p2 * net.beta_2)
            for v, m, s, g in zip(V, M, S, grads):
                R.ResourceApplyAdam(var=v.handle, m=m.handle, v=s.handle, beta1_power=a, beta2_power=b, lr=lr, beta1=net.beta_1, beta2=net.beta_2, epsilon=net.epsilon, grad=g)
    elif net.momentum:
        M = [tf.Variable(tf.zeros_like(v)) for v in V]
        def update(grads):
            for v, m, g in zip(V, M, grads):
                R.ResourceApplyMomentum(var=v.handle, accum=m.handle, lr=lr, grad=g, momentum=net.momentum)
    else:
        def update(grads):
            for v, g in zip(V, grads):
                R.ResourceApplyGradientDescent(var=v.handle, alpha=lr, delta=g)
    return update

def assign(net, V):
    lr = net.learning_rate
    if net.optimizer == "adam":
        M = [tf.Variable(tf.zeros_like(v)) for v in V]; S = [tf.Variable(tf.zeros_like(v)) for v in V]
        p1 = tf.Variable(1.0); p2 = tf.Variable(1.0)
        def update(grads):
            a = p1.assign(p1 * net.beta_1); b = p2.assign(p2 * net.beta_2)
            for v, m, s, g in zip(V, M, S, grads):
                mm = m.assign_add((g - m) * (1 - net.beta_1)); ss = s.assign_add((tf.square(g) - s) * (1 - net.beta_2))
                v.assign_sub(mm * (lr / (1 - a)) / (tf.sqrt(ss / (1 - b)) + net.epsilon))
    elif net.momentum:
        M = [tf.Variable(tf.zeros_like(v)) for v in V]
        def update(grads):
            for v, m, g in zip(V, M, grads):
                v.assign_sub(lr * m.assign(net.momentum * m + g))
    else:
        def update(grads):
            for v, g in zip(V, grads):
                v.assign_sub(lr * g)
    return update

def loop(name, up=raw, executor=None, concrete=False, signature=False, read="float", flat=False, **options):
    net = NETS[name]
    V, resident, loss_of = parts(net)
    update = up(net, V)
    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(x, y)
        update(tape.gradient(loss, V))
        return loss
    sig = [tf.TensorSpec(t.shape, t.dtype) for t in resident[0]] if signature else None
    fn = tf.function(step, autograph=False, input_signature=sig, **options)
    call = fn
    if concrete:
        cf = fn.get_concrete_function(*resident[0])
        call = cf
        if concrete == "flat":
            inner = cf._inference_function
            caps = cf.captured_inputs
            call = lambda x, y: inner.call_flat(x, y, *caps)[0]
        if concrete == "pre":
            inner = cf._inference_function
            caps = cf.captured_inputs
            call = lambda x, y: inner.call_preflattened([x, y, *caps])
    if executor:
        base = call
        def call(x, y):
            with tf.experimental.function_executor_type(executor):
                return base(x, y)
    batches_ = cycle(resident)
    clock = time.perf_counter_ns
    def train(steps):
        losses, stamps = [], []
        if read == "float":
            for x, y in islice(batches_, steps):
                losses.append(float(call(x, y))); stamps.append(clock())
        elif read == "numpy":
            for x, y in islice(batches_, steps):
                losses.append(float(call(x, y).numpy())); stamps.append(clock())
        else:
            for x, y in islice(batches_, steps):
                losses.append(call(x, y)._numpy().item()); stamps.append(clock())
        return losses, stamps
    if executor == "once":
        pass
    return train

def once(name, **o):
    inner = loop(name, **o)
    def train(steps):
        with tf.experimental.function_executor_type("SINGLE_THREADED_EXECUTOR"):
            return inner(steps)
    return train

WAYS = {
    "raw": loop,
    "assign": lambda n: loop(n, assign),
    "raw concrete": lambda n: loop(n, concrete=True),
    "raw flat": lambda n: loop(n, concrete="flat"),
    "raw pre": lambda n: loop(n, concrete="pre"),
    "raw signature": lambda n: loop(n, signature=True),
    "raw numpy()": lambda n: loop(n, read="numpy"),
    "raw _numpy()": lambda n: loop(n, read="_"),
    "raw single once": once,
    "xla raw": lambda n: loop(n, jit_compile=True),
    "xla assign": lambda n: loop(n, assign, jit_compile=True),
    "xla raw flat": lambda n: loop(n, concrete="flat", jit_compile=True),
    "xla raw single": lambda n: once(n, jit_compile=True),
}
BEST = {}
def build(n, w): return WAYS[w](n)
