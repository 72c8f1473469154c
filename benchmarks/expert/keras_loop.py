from __future__ import annotations

import time
from itertools import cycle, islice
import keras
import numpy as np
from keras import ops
from benchmarks.expert.nets import NETS, Net, Train, batches, weights

ENGINE = keras.backend.backend()

def model_of(net):
    inputs = x = keras.Input((net.sizes[0],), batch_size=net.batch)
    for units, a in zip(net.sizes[1:], net.activations):
        x = keras.layers.Dense(units, activation=a)(x)
    model = keras.Model(inputs, x)
    model.set_weights([p for pair in weights(net) for p in pair])
    return model
def optimizer_of(net, model):
    o = keras.optimizers.Adam(net.learning_rate, net.beta_1, net.beta_2, net.epsilon) if net.optimizer == "adam" else keras.optimizers.SGD(net.learning_rate, net.momentum)
    o.build(model.trainable_variables)
    return o
def loss_fn(net, kind="fn"):
    if net.loss == "mse":
        return keras.losses.MeanSquaredError() if kind == "object" else (lambda y, p: ops.mean(ops.square(p - y)))
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True) if kind == "object" else (lambda y, p: ops.mean(ops.sparse_categorical_crossentropy(y, p, from_logits=True)))
def stream(call, resident, read):
    it, clock = cycle(resident), time.perf_counter_ns
    def train(steps):
        losses, stamps = [], []
        for x, y in islice(it, steps):
            losses.append(read(call(x, y))); stamps.append(clock())
        return losses, stamps
    return train

if ENGINE == "tensorflow":
    import tensorflow as tf
    def loop(name, apply="apply", kind="fn", dispatch="function", native=False, **options):
        net = NETS[name]; model = model_of(net); o = optimizer_of(net, model); loss_of = loss_fn(net, kind)
        V = model.trainable_variables
        W = [v.value for v in V]
        def step(x, y):
            with tf.GradientTape() as tape:
                loss = loss_of(y, model(x, training=True))
            g = tape.gradient(loss, W if native else V)
            if apply == "apply": o.apply(g, V)
            else: o.apply_gradients(zip(g, V))
            return loss
        fn = tf.function(step, autograph=False, **options)
        resident = [(tf.constant(x), tf.constant(y)) for x, y in batches(net)]
        call = fn
        if dispatch != "function":
            cf = fn.get_concrete_function(*resident[0])
            caps = cf.captured_inputs
            if dispatch == "concrete": call = cf
            elif dispatch == "flat":
                inner = cf._inference_function
                call = lambda x, y: inner.call_flat(x, y, *caps)[0]
            else:
                raw = tf.raw_ops.StatefulPartitionedCall
                call = lambda x, y: raw(args=[x, y, *caps], Tout=[tf.float32], f=cf)[0]
        return stream(call, resident, float)
    def tob(name, **k):
        net = NETS[name]; model = model_of(net)
        model.compile(optimizer_of(net, model), loss_fn(net, "object"), **k)
        resident = [(tf.constant(x), tf.constant(y)) for x, y in batches(net)]
        return stream(model.train_on_batch, resident, float)
    WAYS = {
        "tf.function, apply": loop,
        "tf.function, apply_gradients": lambda n: loop(n, "apply_gradients"),
        "tf.function, loss object": lambda n: loop(n, kind="object"),
        "tf.function, native vars": lambda n: loop(n, native=True),
        "concrete": lambda n: loop(n, dispatch="concrete"),
        "partitioned call": lambda n: loop(n, dispatch="spc"),
        "xla: function": lambda n: loop(n, jit_compile=True),
        "xla: concrete": lambda n: loop(n, dispatch="concrete", jit_compile=True),
        "xla: flat": lambda n: loop(n, dispatch="flat", jit_compile=True),
        "train_on_batch": lambda n: tob(n, jit_compile=False),
        "train_on_batch xla": lambda n: tob(n, jit_compile=True),
    }
elif ENGINE == "jax":
    import jax
    import jax.numpy as jnp
    def loop(name, ahead=False, donate=True, kind="fn", read=lambda l: l.item()):
        net = NETS[name]; model = model_of(net); o = optimizer_of(net, model); loss_of = loss_fn(net, kind)
        def compute(tv, ntv, x, y):
            out, ntv = model.stateless_call(tv, ntv, x, training=True)
            return loss_of(y, out), ntv
        vg = jax.value_and_grad(compute, has_aux=True)
        def step(state, x, y):
            tv, ntv, ov = state
            (loss, ntv), g = vg(tv, ntv, x, y)
            tv, ov = o.stateless_apply(ov, g, tv)
            return (tv, ntv, ov), loss
        call = jax.jit(step, donate_argnums=0 if donate else ())
        copy = lambda vs: [jnp.array(v.value) for v in vs]
        state = (copy(model.trainable_variables), copy(model.non_trainable_variables), copy(o.variables))
        resident = [(jnp.array(x), jnp.array(y)) for x, y in batches(net)]
        if ahead: call = call.lower(state, *resident[0]).compile()
        it, clock = cycle(resident), time.perf_counter_ns
        def train(steps):
            nonlocal state
            losses, stamps = [], []
            for x, y in islice(it, steps):
                state, loss = call(state, x, y)
                losses.append(read(loss)); stamps.append(clock())
            return losses, stamps
        return train
    def tob(name):
        net = NETS[name]; model = model_of(net)
        model.compile(optimizer_of(net, model), loss_fn(net, "object"))
        resident = [(jnp.array(x), jnp.array(y)) for x, y in batches(net)]
        return stream(model.train_on_batch, resident, float)
    WAYS = {"jit": loop, "jit float": lambda n: loop(n, read=float), "jit not donated": lambda n: loop(n, donate=False), "ahead": lambda n: loop(n, ahead=True), "loss object": lambda n: loop(n, kind="object"), "train_on_batch": tob}
else:
    import torch
    def loop(name, kind="fn", apply="apply", grads="backward", native=False):
        net = NETS[name]; model = model_of(net); o = optimizer_of(net, model); loss_of = loss_fn(net, kind)
        V = model.trainable_variables; P = [v.value for v in V]
        model.train() if hasattr(model, "train") else None
        if native:
            c = torch.nn.functional.mse_loss if net.loss == "mse" else torch.nn.functional.cross_entropy
            loss_of = lambda y, p: c(p, y)
        def call(x, y):
            loss = loss_of(y, model(x, training=True))
            if grads == "backward":
                model.zero_grad()
                loss.backward()
                g = [p.grad for p in P]
            else:
                g = torch.autograd.grad(loss, P)
            with torch.no_grad():
                o.apply(g, V) 
            return loss
        resident = [(torch.tensor(x), torch.tensor(y) if net.loss == "mse" else torch.tensor(y).long()) for x, y in batches(net)]
        return stream(call, resident, lambda l: l.item())
    def lean(name, own=False):
        net = NETS[name]; model = model_of(net); o = optimizer_of(net, model)
        V = model.trainable_variables; P = [v.value for v in V]
        F = torch.nn.functional
        c = F.mse_loss if net.loss == "mse" else F.cross_entropy
        topt = torch.optim.SGD(P, lr=net.learning_rate, momentum=net.momentum, fused=True) if net.optimizer == "sgd" else torch.optim.Adam(P, lr=net.learning_rate, fused=True)
        def call(x, y):
            loss = c(model(x, training=True), y)
            for p, g in zip(P, torch.autograd.grad(loss, P)): p.grad = g
            topt.step()
            return loss
        resident = [(torch.tensor(x), torch.tensor(y) if net.loss == "mse" else torch.tensor(y).long()) for x, y in batches(net)]
        return stream(call, resident, lambda l: l.item())
    WAYS = {"apply backward": loop, "apply grad": lambda n: loop(n, grads="grad"), "loss object": lambda n: loop(n, kind="object", grads="grad"), "native loss": lambda n: loop(n, grads="grad", native=True), "native loss, torch.optim": lean}
BEST = {}
def build(n, w): return WAYS[w](n)
