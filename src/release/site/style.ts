/**
 * The page's looks, in light and dark, from 320 pixels up. `c0` to `c5` are the colours of spaces,
 * `p0` to `p4` their patterns; `c` is that of an unknown one.
 */
export const style = `
:root {
  --page: #f6f5f2; --card: #fff; --ink: #1c2027; --soft: #565d68; --line: #d9d6cf;
  --link: #0a4f94; --bar: #4c76ad; --track: #e6e4de; --warn: #9a2a12; --on: #fff;
  --c0: #1f5fa8; --c1: #9c4700; --c2: #1b6b42; --c3: #7a3c9f; --c4: #0c6670; --c5: #a4245c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171c; --card: #1c2027; --ink: #e8e6e1; --soft: #a9b0bb; --line: #363c46;
    --link: #8cc0f5; --bar: #7da5d8; --track: #2b313b; --warn: #ffab94; --on: #14171c;
    --c0: #86b8f2; --c1: #efb073; --c2: #7fd0a0; --c3: #cfa6ee; --c4: #70d2db; --c5: #f29dc1;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 70rem;
  font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); overflow-wrap: anywhere;
}
h1 { margin: 0; font-size: 1.7rem; line-height: 1.2; }
h2 { margin: 2rem 0 .5rem; font-size: 1.2rem; }
p, ul, dl { margin: .5rem 0; }
header p, footer, small, thead { color: var(--soft); }
small { font-size: .85em; font-weight: normal; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
code, pre, dd { font-family: ui-monospace, monospace; font-size: .85rem; }
pre { margin: 0; padding: .6rem .8rem; border: 1px solid var(--line); border-radius: 6px; background: var(--card); white-space: pre-wrap; }
.copy, pre { margin: .5rem 0; }
.copy { display: flex; gap: .5rem; align-items: stretch; }
.copy pre { flex: 1; margin: 0; }
button { min-width: 4.5rem; border: 1px solid var(--line); border-radius: 6px; color: var(--link); background: var(--card); font: inherit; font-size: .85rem; cursor: pointer; }
table { width: 100%; table-layout: fixed; border-collapse: collapse; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
th, td { padding: .6rem .8rem; text-align: left; vertical-align: top; }
thead th { width: 22%; font-size: .85rem; font-weight: 600; }
thead th:first-child { width: 34%; }
tbody { border-top: 1px solid var(--line); }
tbody:target { box-shadow: inset 4px 0 var(--link); }
tbody tr:last-child td { padding-top: 0; }
em { white-space: nowrap; color: var(--warn); font-style: normal; font-weight: 600; font-size: .85em; }
svg { display: block; width: 100%; max-width: 14rem; height: .5rem; margin: .2rem 0 .3rem; border-radius: 2px; background: var(--track); }
rect { height: 100%; fill: var(--bar); }
.strip { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; margin: 0; padding: 0; list-style: none; }
.strip li[class^=c] { display: flex; flex-wrap: wrap; gap: 0 .8rem; padding: .55rem .7rem .2rem 0; border: 1px solid var(--c); border-radius: 6px; overflow: hidden; background: var(--p) top/100% .4rem no-repeat; font-size: .9rem; }
.strip i { align-self: stretch; margin: 0 0 0 .5rem; padding: 0 .4rem; border-radius: 4px; color: var(--on); background: var(--c); font-style: normal; font-weight: 700; }
.strip s { color: var(--soft); }
.rebuild { color: var(--warn); font-weight: 600; font-size: .85rem; }
.rebuild::before { content: "\\21bb  " / ""; }
.c { --c: var(--soft); } .c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); }
.c3 { --c: var(--c3); } .c4 { --c: var(--c4); } .c5 { --c: var(--c5); }
.p0 { --p: linear-gradient(var(--c), var(--c)); }
.p1 { --p: repeating-linear-gradient(135deg, var(--c) 0 4px, transparent 4px 8px); }
.p2 { --p: repeating-linear-gradient(90deg, var(--c) 0 3px, transparent 3px 6px); }
.p3 { --p: repeating-linear-gradient(var(--c) 0 2px, transparent 2px 4px); }
.p4 { --p: repeating-linear-gradient(90deg, var(--c) 0 14px, transparent 14px 20px); }
details { margin-top: .5rem; }
summary { color: var(--link); font-size: .9rem; cursor: pointer; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dt { color: var(--soft); font-size: .9rem; }
dd { margin: 0; }
@media (max-width: 40rem) {
  thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  table, tbody, tr, th, td { display: block; }
  tbody { padding: .6rem .8rem; }
  th, td, tbody tr:last-child td { padding: .1rem 0; }
  svg { max-width: none; }
  .strip { margin-top: .5rem; }
}
`;
