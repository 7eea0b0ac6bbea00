// SPDX-License-Identifier: Apache-2.0
import { palettes } from '../charts/index.js';

function variables(scheme: keyof typeof palettes): string {
  return Object.entries(palettes[scheme])
    .map(([name, value]) => `--${name}:${value};`)
    .join('');
}

/** The page's style sheet. Light and dark follow the reader; paper is always light. */
export const styleSheet = `
:root{color-scheme:light dark;${variables('light')}--raised:#f5f7fa;--good:#0b6b45;--bad:#a62b12;--focus:#1f5fbf}
@media (prefers-color-scheme:dark){:root{${variables('dark')}--raised:#1d2430;--good:#5fd39a;--bad:#ff8a6a;--focus:#7fb0ff}}
@media print{:root{color-scheme:light;${variables('light')}--raised:#f5f7fa;--good:#0b6b45;--bad:#a62b12}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
a{color:var(--focus)}
:focus-visible{outline:2px solid var(--focus);outline-offset:2px}
.skip{position:absolute;left:-99rem}
.skip:focus{left:.5rem;top:.5rem;background:var(--paper);padding:.5rem;z-index:3}
.page{display:grid;grid-template-columns:minmax(0,1fr);max-width:1280px;margin:0 auto;padding:0 1rem 4rem}
header{padding:1.5rem 0 .5rem;border-bottom:1px solid var(--line)}
h1{font-size:1.5rem;margin:0;overflow-wrap:anywhere}
h2{font-size:1.35rem;margin:2.5rem 0 .25rem;overflow-wrap:anywhere}
h3{font-size:1.1rem;margin:2rem 0 .5rem;padding-top:.75rem;border-top:1px solid var(--line)}
header p,.quiet{color:var(--muted);margin:.25rem 0}
nav ul{list-style:none;margin:.25rem 0 0;padding:0;display:flex;flex-wrap:wrap;gap:.15rem 1rem}
nav li a{display:inline-block;padding:.2rem 0;text-decoration:none}
nav li a:hover{text-decoration:underline}
nav p{margin:.75rem 0 0;font-weight:600;overflow-wrap:anywhere}
@media (min-width:1100px){
.page{grid-template-columns:190px minmax(0,1fr);column-gap:2.5rem}
header{grid-column:1/-1}
nav{position:sticky;top:0;align-self:start;max-height:100vh;overflow:auto;padding:1rem 0}
nav ul{flex-direction:column;gap:0}
}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(15rem,100%),1fr));gap:.75rem;margin:.75rem 0}
.tile{background:var(--raised);border:1px solid var(--line);border-left:4px solid var(--muted);border-radius:6px;padding:.6rem .8rem}
.tile.good{border-left-color:var(--good)}
.tile.bad{border-left-color:var(--bad)}
.tile h4{margin:0;font-size:.85rem;font-weight:600;overflow-wrap:anywhere}
.tile .value{font-size:1.45rem;font-weight:650;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.tile ul{margin:0;padding:0;list-style:none;font-size:.85rem;color:var(--muted);overflow-wrap:anywhere}
.good{color:var(--good)}
.bad{color:var(--bad)}
.tile.good,.tile.bad{color:inherit}
.tile.good .value{color:var(--good)}
.tile.bad .value{color:var(--bad)}
.missing{color:var(--muted);font-style:italic}
p,caption,figcaption,footer{overflow-wrap:anywhere}
figure{margin:1rem 0}
figcaption,caption{font-weight:600;text-align:left;padding:.25rem 0}
figcaption small{display:block;font-weight:400;color:var(--muted)}
.scroll{overflow:auto;max-width:100%}
.scroll.tall{max-height:34rem;border:1px solid var(--line);border-radius:6px}
svg{display:block;max-width:none}
.tools{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center;margin:.75rem 0 .4rem}
html:not(.js) .tools{display:none}
.tools input{font:inherit;color:inherit;background:var(--paper);border:1px solid var(--muted);border-radius:4px;padding:.25rem .5rem;width:13rem;max-width:60vw}
.tools output{color:var(--muted);font-size:.9rem}
table{border-collapse:separate;border-spacing:0;font-size:.87rem;font-variant-numeric:tabular-nums;margin:.25rem 0}
.tall table{margin:0}
caption{position:sticky;left:0}
.tall caption{padding:.35rem .5rem}
th,td{padding:.25rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
thead th{background:var(--raised);border-bottom:1px solid var(--muted);font-weight:600;white-space:nowrap}
.tall thead th{position:sticky;top:0;z-index:1}
.tall thead tr.groups+tr th{top:1.95rem}
.tall thead tr.groups th{height:1.95rem}
tr.groups th{text-align:center;border-left:1px solid var(--muted);border-bottom-color:var(--line)}
.starts{border-left:1px solid var(--muted)}
tbody th{font-weight:500;position:sticky;left:0;background:var(--paper)}
tbody td,tbody th{white-space:nowrap}
tr.groups td{background:var(--raised);border-bottom-color:var(--line)}
tbody tr:hover>*{background:var(--raised)}
.right{text-align:right;white-space:nowrap}
td.wide{white-space:normal;min-width:16rem;overflow-wrap:anywhere}
th button{font:inherit;color:inherit;background:none;border:0;padding:0;cursor:pointer}
th button::after{content:" \\2195";color:var(--muted)}
th[aria-sort=ascending] button::after{content:" \\2191";color:var(--ink)}
th[aria-sort=descending] button::after{content:" \\2193";color:var(--ink)}
html:not(.js) th button::after{content:""}
dl+dl{border-top:1px solid var(--line);padding-top:.5rem}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.15rem 1rem;margin:.5rem 0}
dt{color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere}
@media (max-width:700px){tbody th{position:static;white-space:normal}}
@media (max-width:500px){dl{grid-template-columns:minmax(0,1fr)}dd{padding-left:1rem}}
pre{background:var(--raised);border:1px solid var(--line);border-radius:6px;padding:.6rem .8rem;overflow:auto;font-size:.83rem;margin:.25rem 0 1rem}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1rem;list-style:none;padding:0;margin:.25rem 0;font-size:.87rem}
.legend svg{display:inline-block;vertical-align:-2px;margin-right:.35rem}
.box{stroke:var(--ink);stroke-width:1}
.sev-0{fill:var(--severity-0)}.sev-1{fill:var(--severity-1)}.sev-2{fill:var(--severity-2)}.sev-3{fill:var(--severity-3)}.sev-4{fill:var(--severity-4)}
.sev-none{fill:var(--paper);stroke-dasharray:3 2}
.edge{fill:none;stroke:var(--muted);stroke-width:1.25}
.edge.far{stroke:var(--series-0)}
.graph text{fill:var(--muted);font-size:10px}
.graph a:hover .box,.graph a:focus-visible .box{stroke:var(--focus);stroke-width:3}
.graph a:focus-visible{outline:none}
.card{display:none;position:fixed;right:0;top:0;bottom:0;width:min(27rem,100%);overflow:auto;background:var(--paper);border-left:2px solid var(--muted);padding:1rem 1.1rem 3rem;z-index:2;box-shadow:-6px 0 18px rgb(0 0 0/.2)}
.card.open,html:not(.js) .card:target{display:block}
.card h3{border:0;margin:0 3.5rem 0 0;padding:0;overflow-wrap:anywhere}
.card h4{margin:1rem 0 .2rem}
.card .close{position:absolute;right:1rem;top:1rem}
.card p{overflow-wrap:anywhere;color:var(--muted);font-size:.85rem;margin:.25rem 0}
#tip{position:fixed;display:none;max-width:24rem;background:var(--ink);color:var(--paper);padding:.3rem .55rem;border-radius:4px;font-size:.83rem;pointer-events:none;z-index:4}
footer{grid-column:1/-1;color:var(--muted);border-top:1px solid var(--line);margin-top:3rem;padding-top:.75rem;font-size:.87rem}
@media print{
nav,.tools,.skip,.card,.card.open,#tip{display:none!important}
body{font-size:10pt}
.page{display:block;max-width:none;padding:0}
.scroll,.scroll.tall{overflow:visible;max-height:none;border:0}
table{font-size:6.5pt;width:100%}
th,td{padding:1pt 2.5pt}
thead th,.tall thead th{position:static;white-space:normal}
th button::after{content:""!important}
.right{white-space:normal}
tbody td,tbody th,td.wide{white-space:normal;min-width:0}
tbody th{position:static}
figure svg{max-width:100%;height:auto}
figure,.tile,tr{break-inside:avoid}
pre{white-space:pre-wrap;overflow-wrap:anywhere}
h3{break-after:avoid}
}
`;
