"""The style sheet of every HTML page: one column, light or dark as the system is, formulae in boxes."""

STYLE = """
:root{color-scheme:light dark;--ink:#1b1d21;--soft:#565c66;--paper:#fdfdfb;--box:#f4f4ef;--line:#d9d9d0;--link:#0b57a4;
--law:#7a3e00;--node:#e8f0f8;--leaf:#fff;--adjoint:#9c2424;--one:#0b57a4;--two:#b04a00;--three:#24762f}
@media (prefers-color-scheme:dark){:root{--ink:#e4e4df;--soft:#a9aeb6;--paper:#16181b;--box:#1e2125;--line:#3a3f46;
--link:#8bbcf2;--law:#f0b27a;--node:#233448;--leaf:#1e2125;--adjoint:#f29b9b;--one:#8bbcf2;--two:#f0a868;--three:#8fd19a}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:64rem;padding:1rem 1rem 4rem;background:var(--paper);color:var(--ink);
font:1.0625rem/1.6 "Iowan Old Style","Palatino Linotype",Palatino,"Source Serif 4",Georgia,"DejaVu Serif",serif;
overflow-wrap:break-word}
math{font-family:"Latin Modern Math","STIX Two Math","Cambria Math","DejaVu Math TeX Gyre",math;font-size:1.05em}
h1,h2,h3,h4{line-height:1.25;margin:2rem 0 .6rem;font-weight:600}
h1{font-size:1.9rem;margin-top:1rem}
h2{font-size:1.35rem;padding-bottom:.2rem;border-bottom:1px solid var(--line)}
h3{font-size:1.12rem}
h4{font-size:1rem}
a{color:var(--link)}
p,ul,ol,dl{margin:.6rem 0;max-width:46rem}
li{margin:.15rem 0}
code,pre{font-family:ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;font-size:.84em}
pre,.chain,.scroll{overflow-x:auto;background:var(--box);border:1px solid var(--line);border-radius:6px;
padding:.7rem 1rem;margin:.8rem 0;line-height:1.5;max-width:100%}
.chain:focus-visible,.scroll:focus-visible,pre:focus-visible{outline:2px solid var(--link);outline-offset:1px}
.chain{display:grid;grid-template-columns:max-content minmax(max-content,1fr) minmax(7rem,16rem);column-gap:.5rem;
row-gap:.55rem;align-items:baseline}
.chain>.target{grid-column:1;justify-self:end}
.chain>.expr{grid-column:2}
.chain>.law{grid-column:3;font-size:.84rem;line-height:1.35;color:var(--soft)}
.chain>.wide{grid-column:1/-1;justify-self:start}
.chain>.alone{grid-column:1/3;padding-left:2rem}
.expr>div+div{padding-left:2rem;padding-top:.3rem}
.law b{color:var(--law);font-weight:600}
.note,.summary{color:var(--soft)}
.summary{font-size:1.12rem;font-style:italic}
table{border-collapse:collapse;margin:.4rem 0;font-size:.95em}
th,td{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}
figure{margin:1rem 0}
figcaption{color:var(--soft);font-size:.9rem}
figure.plot svg{background:#fff;border:1px solid var(--line);border-radius:6px}
svg{max-width:100%;height:auto}
.scroll svg{max-width:none}
mtd.left{text-align:left}
nav{font-size:.95rem}
nav ol,nav ul{padding-left:1.3rem}
.path{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;justify-content:space-between;border-bottom:1px solid var(--line);
padding-bottom:.5rem}
.chips{display:flex;flex-wrap:wrap;gap:.3rem .9rem;list-style:none;padding:0;max-width:none}
@media (max-width:52rem){body{font-size:1rem}
.chain{grid-template-columns:max-content minmax(max-content,1fr);padding:.6rem .7rem}
.chain>.law{grid-column:1/-1;position:sticky;left:0;max-width:calc(100vw - 4.5rem);padding-left:1rem}
.expr>div+div,.chain>.alone{padding-left:1rem}}
@media print{body{max-width:none;font-size:10pt}.chain,.scroll,pre{overflow:visible;break-inside:avoid}}
"""
