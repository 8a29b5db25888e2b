"""The same networks for JAX, to time what it takes until their gradients can be run: statements for a fresh process."""

SETUP = """
import time
import jax
import jax.numpy as jnp
key = jax.random.PRNGKey(0)

def arrays(*shapes):
    return [jax.random.normal(key, shape) for shape in shapes]

def conv(x, w, b):
    y = jax.lax.conv_general_dilated(x, w, (1, 1), "VALID", dimension_numbers=("NCHW", "OIHW", "NCHW"))
    return y + b[None, :, None, None]

def pool(x):
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

def norm(x, gamma, beta):
    mu = x.mean(-1, keepdims=True)
    return gamma * (x - mu) / jnp.sqrt(((x - mu) ** 2).mean(-1, keepdims=True) + 1e-5) + beta

def lenet(x, w_1, b_1, w_2, b_2, w_3, b_3, w_4, b_4, g):
    two = pool(jnp.tanh(conv(pool(jnp.tanh(conv(x, w_1, b_1))), w_2, b_2)))
    flat = jnp.einsum("hkyz,nkyz->nh", w_3, two) + b_3
    return (g * (jnp.tanh(flat) @ w_4.T + b_4)).sum()

def transformer_block(x, gamma_1, beta_1, wq, wk, wv, wo, gamma_2, beta_2, w_1, b_1, w_2, b_2, g, heads=4):
    def split(a):
        return a.reshape(*a.shape[:2], heads, -1).swapaxes(1, 2)
    y = norm(x, gamma_1, beta_1)
    q, k, v = split(y @ wq.T), split(y @ wk.T), split(y @ wv.T)
    p = jax.nn.softmax(q @ k.swapaxes(-1, -2) / jnp.sqrt(q.shape[-1]))
    u = x + (p @ v).swapaxes(1, 2).reshape(x.shape) @ wo.T
    hidden = norm(u, gamma_2, beta_2) @ w_1.T + b_1
    return (g * (u + jax.nn.gelu(hidden, approximate=False) @ w_2.T + b_2)).sum()

INPUTS = {
    "lenet": arrays((8, 1, 28, 28), (6, 1, 5, 5), (6,), (16, 6, 5, 5), (16,), (120, 16, 4, 4), (120,), (10, 120), (10,),
                    (8, 10)),
    "transformer_block": arrays((2, 16, 32), (32,), (32,), *[(32, 32)] * 4, (32,), (32,), (64, 32), (64,), (32, 64),
                                (32,), (2, 16, 32)),
}
"""
COMPILED = (
    SETUP
    + """
values = INPUTS["NETWORK"]
start = time.perf_counter()
jax.jit(jax.grad(NETWORK, argnums=tuple(range(len(values) - 1)))).lower(*values).compile()
print(time.perf_counter() - start)
"""
)
