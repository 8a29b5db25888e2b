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

TRACE = (r"\operatorname{tr}(X^\top A X)", "X", "A: n n, X: n k")
BIASED = (r"\frac{1}{n}\sum_i (x_i^\top w + b - y_i)^2", "b", "x: n d, w: d, b: scalar, y: n")
RIDGE = (r"\frac{1}{n}\|Xw-y\|^2+\lambda\|w\|^2", "w", "X: n d, w: d, y: n")
CHOICE = (r"g^\top\operatorname{softmax}(z)", "z", "g: k, z: k")
LAYER_NORM = (
    r"g^\top\frac{x-\mu}{\sigma},\;\mu=\frac1d\sum_ix_i,\;\sigma=\sqrt{\frac1d\sum_i(x_i-\mu)^2}",
    "x",
    "x: d, g: d",
)
STATISTICS = r"\mu=\frac1d\sum_ix_i,\;\sigma=\sqrt{\frac1d\sum_i(x_i-\mu)^2},\;h=\frac{x-\mu}{\sigma},\;"
ROOT_MEAN = (r"\sum_i g_i\frac{x_i}{r},\;r=\sqrt{\frac1d\sum_ix_i^2}", "x", "x: d, g: d")
MAHALANOBIS = (
    r"\frac12(x-\mu)^\top\Sigma^{-1}(x-\mu)",
    r"\Sigma",
    r"x: d, \mu: d, \Sigma: d d symmetric",
)
POISSON = (r"\sum_i(e^{x_i^\top w}-y_ix_i^\top w)", "w", "x: n d, w: d, y: n")
HIDDEN = (r"\frac12(v^\top\tanh(Wx)-y)^2", "v", "W: h d, x: d, v: h, y: scalar")
GATED = (r"\frac12(v^\top\max(0,Wx)-y)^2", "W", "W: h d, x: d, v: h, y: scalar")
LATENT = (r"\frac12\sum_j(\mu_j^2+e^{s_j}-s_j-1)", "s", r"\mu: j, s: j")
BILINEAR = (r"a^\top X^\top Xb", "X", "X: n d, a: d, b: d")
ABSOLUTE = (r"\|w\|_1", "w", "w: d")

CLAIMS += [
    (r"2\left(\frac1nX^\top X+\lambda I\right)w-\frac2nX^\top y", RIDGE, ""),
    (r"\frac2n(X^\top X+\lambda I)w-\frac2nX^\top y", RIDGE, "constant factor"),
    (r"\frac2nX^\top(Xw-y)+2\lambda", RIDGE, "missing factor"),
    (r"2b+\frac2n\sum_ix_i^\top w-2\bar y,\;\bar y=\frac1n\sum_iy_i", BIASED, ""),  # defined after its use
    (r"2\left(b+\frac1n\mathbf1^\top(xw-y)\right)", BIASED, ""),
    (r"(A+A^\top)X", TRACE, ""),
    ("2AX", TRACE, "symmetric only"),
    (r"K^\top(\operatorname{diag}(a)-aa^\top)Vg,\;a=\operatorname{softmax}(Kq)", ATTENTION, ""),
    (r"a=\operatorname{softmax}(Kq),\;K^\top\operatorname{diag}(a)Vg", ATTENTION, "missing term"),  # − a aᵀ
    (r"p=\operatorname{softmax}(z),\;(\operatorname{diag}(p)-pp^\top)g", CHOICE, ""),
    (r"p=\operatorname{softmax}(z),\;p\odot g", CHOICE, "missing term"),
    (r"p=\operatorname{softmax}(z),\;p\odot(g-\mathbf1 p^\top g)", CHOICE, ""),
    (STATISTICS + r"\frac1\sigma\left(g-\frac1d\mathbf1\mathbf1^\top g-\frac1dhh^\top g\right)", LAYER_NORM, ""),
    (STATISTICS + r"\frac1\sigma\left(g-\frac1d\mathbf1\mathbf1^\top g\right)+0h", LAYER_NORM, "missing term"),
    (r"g/\sigma", LAYER_NORM, "missing term"),
    (r"r=\sqrt{\frac1d\sum_ix_i^2},\;\frac gr-\frac{x^\top g}{dr^3}x", ROOT_MEAN, ""),
    (r"r=\sqrt{\frac1d\sum_ix_i^2},\;\frac gr-\frac{x^\top g}{r^3}x", ROOT_MEAN, "constant factor"),
    (r"-\frac12\Sigma^{-1}(x-\mu)(x-\mu)^\top\Sigma^{-1}", MAHALANOBIS, ""),
    (r"-\Sigma^{-1}(x-\mu)(x-\mu)^\top\Sigma^{-1}", MAHALANOBIS, "constant factor"),
    (r"x^\top(e^{xw}-y)", POISSON, ""),
    (r"(v^\top\tanh(Wx)-y)\tanh(Wx)", HIDDEN, ""),
    (r"(v^\top\tanh(Wx)-y)(1-\tanh^2(Wx))", HIDDEN, "different"),
    (r"((v^\top\max(0,Wx)-y)\,v\odot\mathbf1[Wx>0])x^\top", GATED, ""),
    (r"(v^\top\max(0,Wx)-y)vx^\top", GATED, "missing condition"),
    (r"\frac12(e^s-1)", LATENT, ""),
    (r"\frac12(e^s+1)", LATENT, "sign"),
    (r"X(ab^\top+ba^\top)", BILINEAR, ""),
    (r"Xab^\top", BILINEAR, "missing term"),
    (r"2\cdot\mathbf1[w>0]-1", ABSOLUTE, "subgradient"),
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
    (r"\begin{align}r&=Xw-y\\\nabla_w L&=\frac2nX^\top r+2\lambda w\\&=\frac2n(X^\top Xw-X^\top y)+2\lambda w\\&=\frac2n(X^\top X+\lambda I)w-\frac2nX^\top y\end{align}",RIDGE,4),
    (r"\begin{align}p&=\operatorname{softmax}(z)\\\frac{\partial f}{\partial z_i}&=\sum_jg_jp_j(\delta_{ij}-p_i)\\&=g_ip_i-p_i\sum_jg_jp_j\\&=p_i(g_i-\sum_jg_j)\end{align}",CHOICE,4),
    (r"\begin{align}p&=\operatorname{softmax}(z)\\\nabla_z f&=(\operatorname{diag}(p)-pp^\top)g\\&=p\odot g-p(p^\top g)\\&=p\odot(g-p^\top g)\end{align}",CHOICE,0),
    (r"\begin{align}\nabla_X&=AX+A^\top X\\&=(A+A^\top)X\\&=2AX\end{align}",TRACE,3),
    (r"\begin{aligned}\frac{\partial L}{\partial w_k}&=\sum_i(e^{x_i^\top w}-y_i)x_{ik}\\&=\sum_ie^{x_i^\top w}x_{ik}-\sum_iy_ix_{ik}\\&=\sum_i e^{x_{ik}w_k}x_{ik}-\sum_iy_ix_{ik}\end{aligned}",POISSON,3),
    (r"\begin{align}h&=\tanh(Wx)\\\nabla_v L&=(v^\top h-y)h\\&=hh^\top v-yh\\&=(h^\top h)v-yh\end{align}",HIDDEN,4),
    (r"\begin{align}z&=Wx\\\frac{\partial L}{\partial W}&=(v^\top\max(0,z)-y)(v\odot\mathbf1[z>0])x^\top\\&=(v^\top\max(0,z)-y)x(v\odot\mathbf1[z>0])^\top\end{align}",GATED,3),
    (r"\begin{align}\nabla_s L&=\frac12e^s-\frac12\\&=\frac12(e^s-1)\\&=\frac12e^{s-1}\end{align}",LATENT,3),
    (r"\begin{align}\nabla_X L&=Xab^\top+Xba^\top\\&=X(ab^\top+ba^\top)\\&=X(a+b)(a+b)^\top-Xaa^\top-Xbb^\top\\&=X(a+b)(a+b)^\top\end{align}",BILINEAR,4),
    (r"\begin{align}\mu&=\frac1d\sum_ix_i\\\sigma&=\sqrt{\frac1d\sum_i(x_i-\mu)^2}\\h&=(x-\mu)/\sigma\\\nabla_x L&=\frac1\sigma\left(g-\frac1d\mathbf1\mathbf1^\top g-\frac1dhh^\top g\right)\\&=\frac1\sigma\left(I-\frac1d\mathbf1\mathbf1^\top\right)g-\frac{1}{d\sigma}hh^\top g\\&=\frac1\sigma\left(I-\frac1d\mathbf1\mathbf1^\top\right)g-\frac{1}{\sigma}hh^\top g\end{align}",LAYER_NORM,6),
]  # fmt: skip
