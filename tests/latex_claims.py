# ruff: noqa: E501 — lists of formulas
"""Claims and derivations as students write them: right ones in other forms, and wrong ones with the mistake by name."""

LEAST = (
    r"\frac{1}{2n}\|Xw-y\|_2^2",
    "w",
    "X: n d, w: d, y: n",
)
LOGISTIC = (
    r"-\frac1n\sum_{i=1}^n\left[y_i\log\sigma(X_i^\top w)+(1-y_i)\log(1-\sigma(X_i^\top w))\right]",
    "w",
    "X: n d, w: d, y: n",
)
CROSS = (
    r"-\frac{1}{n}\sum_{i=1}^{n}\log\frac{\exp(z_{i,c_i})}{\sum_k\exp(z_{ik})}",
    "z",
    "z: n k, c: n label k",
)
QUADRATIC = (
    r"\tfrac12x^\top Ax-b^\top x",
    "x",
    "A: n n, x: n, b: n",
)
SYMMETRIC = (
    r"\tfrac12x^\top Ax-b^\top x",
    "x",
    "A: n n symmetric, x: n, b: n",
)
FACTORS = (
    r"\tfrac12\|R-UV^\top\|_F^2+\tfrac\lambda2\|U\|_F^2",
    "U",
    "R: n m, U: n k, V: m k",
)
LOGDET = (
    r"\log\det(A)+\operatorname{tr}(A^{-1}S)",
    "A",
    "A: d d symmetric, S: d d symmetric",
)
MEAN = (
    r"-\frac n2\log(2\pi\sigma^2)-\frac1{2\sigma^2}\sum_{i=1}^n(x_i-\mu)^2",
    "mu",
    "x: n, mu: scalar, sigma: scalar positive",
)
SPREAD = (
    r"-\frac n2\log(2\pi\sigma^2)-\frac1{2\sigma^2}\sum_{i=1}^n(x_i-\mu)^2",
    "sigma",
    "x: n, mu: scalar, sigma: scalar positive",
)
NORMALISED = (
    r"\hat x_i=\frac{x_i-\mu}{\sqrt{v}}, \; L=\sum_i g_i\hat x_i",
    "x",
    "x: n, g: n, mu: scalar, v: scalar positive",
)
HUBER = (
    r"\begin{cases}\frac12r^2&|r|\le\delta\\\delta(|r|-\frac12\delta)&\text{otherwise}\end{cases}",
    "r",
    "r: scalar, delta: scalar positive",
)
HINGE = (
    r"\frac1n\sum_{i=1}^n\max(0,1-y_iX_i^\top w)",
    "w",
    "X: n d, w: d, y: n",
)
DIVERGENCE = (
    r"\sum_k p_k\log\frac{p_k}{q_k}",
    "q",
    "p: k positive, q: k positive",
)
ATTENTION = (
    r"g^\top V^\top\operatorname{softmax}(Kq)",
    "q",
    "K: n d, q: d, V: n e, g: e",
)
FIRST_LAYER = (
    r"\tfrac12\|W_2\max(0,W_1x)-t\|^2",
    "W_1",
    "W_1: h d, W_2: o h, x: d, t: o",
)
SECOND_LAYER = (
    r"\tfrac12\|W_2\max(0,W_1x)-t\|^2",
    "W_2",
    "W_1: h d, W_2: o h, x: d, t: o",
)
DIRECTION = (
    r"v^\top\frac{x}{\|x\|}",
    "x",
    "v: n, x: n",
)
SIGMOID = (
    r"\sigma(x)",
    "x",
    "x: scalar",
)

CLAIMS = [  # claim, formula, kind: "" where it holds
    (r"\frac1n\sum_{i=1}^n(X_i^\top w-y_i)X_i", LEAST, ""),
    (r"\frac{\partial L}{\partial w_j}=\frac1n\sum_{i=1}^n\Bigl(\sum_{k=1}^dX_{ik}w_k-y_i\Bigr)X_{ij}", LEAST, ""),
    (r"\frac1n\left(X^\top Xw-X^\top y\right)", LEAST, ""),
    (r"\tfrac1n[X^{T}(Xw)-X^{T}y]", LEAST, ""),
    (r"-\frac1n X^\top(y-Xw)", LEAST, ""),
    (r"r:=y-Xw,\;-\frac{X^\top r}{n}", LEAST, ""),
    (r"\frac1nX^\top(\sigma(Xw)-y)", LOGISTIC, ""),
    (r"p=\sigma(Xw),\;\frac1n\sum_i(p_i-y_i)X_{i,:}", LOGISTIC, ""),
    (r"-\frac1n\sum_i\left(y_i-\frac{1}{1+e^{-X_i^\top w}}\right)X_i", LOGISTIC, ""),
    (r"\frac1nX^\top(y-\sigma(Xw))", LOGISTIC, "sign"),
    (r"\frac1nX^\top((\sigma(Xw)-y)\odot\sigma(Xw)\odot(1-\sigma(Xw)))", LOGISTIC, "different"),
    (r"\frac{\partial L}{\partial z_{ik}}=\frac1n\left(\frac{e^{z_{ik}}}{\sum_je^{z_{ij}}}-\mathbb1[c_i=k]\right)", CROSS, ""),
    (r"\frac1n(\operatorname{softmax}(z_i)_k-\delta_{k,c_i})", CROSS, ""),
    (r"\frac{\partial L}{\partial z_{ik}}=\frac{e^{z_{ik}}}{\sum_je^{z_{ij}}}-\mathbb1[c_i=k]", CROSS, "constant factor"),
    (r"\frac{\partial L}{\partial z_{ik}}=\frac1n\left(\mathbb1[c_i=k]-\frac{e^{z_{ik}}}{\sum_je^{z_{ij}}}\right)", CROSS, "sign"),
    (r"\frac{\partial L}{\partial z_{ik}}=\frac1n\left(\frac{e^{z_{ik}}}{\sum_{j,l}e^{z_{lj}}}-\mathbb1[c_i=k]\right)", CROSS, "different"),
    (r"\frac12(A+A^\top)x-b", QUADRATIC, ""),
    ("Ax-b", QUADRATIC, "symmetric only"),
    ("Ax-b", SYMMETRIC, ""),
    (r"\frac{\partial f}{\partial x_i}=\frac12\sum_j(A_{ij}+A_{ji})x_j-b_i", QUADRATIC, ""),
    (r"x^\top A-b^\top", SYMMETRIC, ""),
    (r"A^\top x-b", QUADRATIC, "symmetric only"),
    ("Ax+b", SYMMETRIC, "sign"),
    (r"(UV^\top-R)V+\lambda U", FACTORS, ""),
    (r"-(R-UV^\top)V+\lambda U", FACTORS, ""),
    (r"\frac{\partial L}{\partial U_{ia}}=\sum_j\Bigl(\sum_bU_{ib}V_{jb}-R_{ij}\Bigr)V_{ja}+\lambda U_{ia}", FACTORS, ""),
    (r"(R-UV^\top)V+\lambda U", FACTORS, "sign"),
    (r"(UV^\top-R)V+2\lambda U", FACTORS, "constant factor"),
    (r"(UV^\top-R)V", FACTORS, "missing term"),
    (r"V^\top(UV^\top-R)^\top+\lambda U^\top", FACTORS, "other layout"),
    ("A^{-1}-A^{-1}SA^{-1}", LOGDET, ""),
    ("A^{-1}+A^{-1}SA^{-1}", LOGDET, "sign"),
    (r"\frac{1}{\sigma^2}\sum_i(x_i-\mu)", MEAN, ""),
    (r"\frac{n}{\sigma^2}\left(\frac1n\sum_ix_i-\mu\right)", MEAN, ""),
    (r"\frac{1}{\sigma^2}\sum_i(\mu-x_i)", MEAN, "sign"),
    (r"-\frac n\sigma+\frac{1}{\sigma^3}\sum_i(x_i-\mu)^2", SPREAD, ""),
    (r"-\frac{n}{2\sigma^2}+\frac{1}{2\sigma^4}\sum_i(x_i-\mu)^2", SPREAD, "constant factor"),
    (r"-\frac n\sigma+\frac{1}{2\sigma^3}\sum_i(x_i-\mu)^2", SPREAD, "constant factor"),
    (r"g/\sqrt v", NORMALISED, ""),
    (r"\begin{cases}r&|r|\le\delta\\\delta\operatorname{sgn}(r)&\text{otherwise}\end{cases}", HUBER, ""),
    (r"\max(-\delta,\min(\delta,r))", HUBER, ""),
    (r"\operatorname{clip}(r,-\delta,\delta)", HUBER, ""),
    ("r", HUBER, "factor"),
    (r"-\frac1n\sum_i\mathbf1[y_iX_i^\top w<1]\,y_iX_i", HINGE, ""),
    (r"-\frac1n\sum_i\mathbf1[y_iX_i^\top w\le1]\,y_iX_i", HINGE, "subgradient"),
    (r"-\frac1n\sum_iy_iX_i", HINGE, "missing condition"),
    ("-p/q", DIVERGENCE, ""),
    (r"-p\oslash q", DIVERGENCE, ""),
    (r"\log\frac{p}{q}", DIVERGENCE, "different"),
    ("1-p/q", DIVERGENCE, "different"),
    (r"a=\operatorname{softmax}(Kq),\;K^\top(\operatorname{diag}(a)-aa^\top)Vg", ATTENTION, ""),
    (r"a=\operatorname{softmax}(Kq),\;s=Vg,\;\sum_ia_i\Bigl(s_i-\sum_ja_js_j\Bigr)K_i", ATTENTION, ""),
    (r"h=\max(0,W_1x),\;e=W_2h-t,\;\bigl((W_2^\top e)\odot\mathbf1[W_1x>0]\bigr)x^\top", FIRST_LAYER, ""),
    (r"h=\max(0,W_1x),\;e=W_2h-t,\;\bigl(W_2^\top e\bigr)x^\top", FIRST_LAYER, "missing condition"),
    (r"h=\max(0,W_1x),\;e=W_2h-t,\;x\bigl((W_2^\top e)\odot\mathbf1[W_1x>0]\bigr)^\top", FIRST_LAYER, "other layout"),
    (r"h=\max(0,W_1x),\;(W_2h-t)h^\top", SECOND_LAYER, ""),
    (r"\frac{1}{\|x\|}\left(v-\frac{x^\top v}{\|x\|^2}x\right)", DIRECTION, ""),
    (r"\frac{1}{\|x\|}\left(I-\frac{xx^\top}{x^\top x}\right)v", DIRECTION, ""),
    (r"\frac{v}{\|x\|}", DIRECTION, "missing term"),
    (r"\frac{1}{\|x\|}\left(v-\frac{x^\top v}{\|x\|}x\right)", DIRECTION, "different"),
    (r"\frac{e^{-x}}{(1+e^{-x})^2}", SIGMOID, ""),
    (r"\tfrac14\operatorname{sech}^2(x/2)", SIGMOID, ""),
    (r"\sigma(x)-\sigma(x)^2", SIGMOID, ""),
    (r"\sigma(x)\sigma(-x)", SIGMOID, ""),
    (r"\sigma(x)(\sigma(x)-1)", SIGMOID, "sign"),
    (r"1-\sigma(x)", SIGMOID, "missing factor"),
]  # fmt: skip

DERIVATIONS = [  # lines, formula, the first wrong line: 0 where all hold
    (r"\begin{align*}\frac{\partial L}{\partial w_j}&=\frac1n\sum_{i=1}^n(X_i^\top w-y_i)X_{ij}\\&=\frac1n\sum_{i=1}^nX_i^\top wX_{ij}-\frac1n\sum_{i=1}^ny_iX_{ij}\\&=\frac1n\sum_{i=1}^nX_i^\top wX_{ij}-\sum_{i=1}^ny_iX_{ij}\end{align*}", LEAST, 3),
    (r"\begin{align}\nabla_x f&=\frac12(A+A^\top)x-b\\&=Ax-b\end{align}", QUADRATIC, 2),
    (r"\begin{align}\nabla_x f&=\frac12(A+A^\top)x-b\\&=\frac12Ax+\frac12A^\top x-b\end{align}", QUADRATIC, 0),
    (r"\begin{align}E&=R-UV^\top\\\nabla_U L&=-EV+\lambda U\\&=-RV+UV^\top V+\lambda U\\&=RV-U(V^\top V+\lambda I)\end{align}", FACTORS, 4),
    (r"\begin{align}\frac{\partial\ell}{\partial\sigma}&=-\frac{n}{\sigma}+\frac{1}{\sigma^3}\sum_i(x_i-\mu)^2\\&=\frac1\sigma\left(\frac{1}{\sigma^2}\sum_i(x_i-\mu)^2-n\right)\\&=\frac{1}{\sigma^3}\left(\sum_i(x_i-\mu)^2-n\sigma\right)\end{align}", SPREAD, 3),
    (r"\begin{aligned}\frac{\partial}{\partial x}\sigma(x)&=\frac{e^{-x}}{(1+e^{-x})^2}\\&=\frac{1}{1+e^{-x}}\cdot\frac{e^{-x}}{1+e^{-x}}\\&=\sigma(x)(1+\sigma(x))\end{aligned}", SIGMOID, 3),
    (r"\begin{aligned}\frac{d}{dx}\sigma(x)&=-\frac{1}{(1+e^{-x})^2}\cdot(-e^{-x})\\&=\sigma(x)\bigl(1-\sigma(x)\bigr)\\&=\sigma(x)\sigma(-x)\end{aligned}", SIGMOID, 0),
    (r"\begin{align}a&=\operatorname{softmax}(Kq)\\J&=\operatorname{diag}(a)-aa^\top\\\nabla_q L&=K^\top J^\top Vg\\&=K^\top JVg\\&=K^\top(a\odot(Vg))-(a^\top Vg)K^\top a\\&=K^\top(a\odot(Vg))-(a^\top a)K^\top Vg\end{align}", ATTENTION, 6),
    (r"\begin{align}h&=\max(0,W_1x)\\e&=W_2h-t\\\delta&=(W_2^\top e)\odot\mathbf1[W_1x>0]\\\frac{\partial L}{\partial W_1}&=\delta x^\top\\&=x\delta^\top\end{align}", FIRST_LAYER, 5),
    (r"\nabla_A f = A^{-1}-A^{-1}SA^{-1} \\ = A^{-1}(I-SA^{-1}) \\ = A^{-1}(A-S)A^{-1} \\ = (A-S)A^{-1}", LOGDET, 4),
]  # fmt: skip
