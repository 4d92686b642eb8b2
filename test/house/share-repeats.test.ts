import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { shareRepeats } from '../../scripts/share-repeats.ts';

/** What a module exports as `result`. */
async function resultOf(program: string): Promise<unknown> {
  const loaded: { readonly result: unknown } = await import(`data:text/javascript,${encodeURIComponent(program)}`);
  return loaded.result;
}

/** Many times the same expressions, so that everything in them is worth a variable. */
function repeated(expression: string): string {
  return `let result=[${Array.from({ length: 12 }, () => expression).join(',')}];export{result};`;
}

describe('what stands often in the client', () => {
  const expressions: Readonly<Record<string, string>> = {
    'members of every kind': '[[1,2].length,[1,[2]].flat().length,"abc".toUpperCase?.(),null?.something.other]',
    'keys, shorthands, defaults and patterns':
      '(({first:a,second="none",...others})=>{let third=a;return{first:a,second,"a-b":1,12:2,third,...others}})({first:1,fourth:4})',
    'methods, accessors and fields of objects and classes':
      'new class{static shared="shared text";field="field text";constructor(){this.own="own text"}async later(){}*many(){yield 1}get both(){return this.field}set both(value){this.field=value}toJSON(){return[this.both,(this.both="other text"),this.both,this.own,this.constructor.shared,this.later.name,[...this.many()]]}}().toJSON()',
    'a prototype that is set, and a key of that name': '[Object.getPrototypeOf({__proto__:null}),{["__proto__"]:1}]',
    'functions and constants of the language':
      '[Math.max(1,2),Number.isInteger(3),JSON.stringify({a:void 0}),Number.MAX_VALUE]',
    'undefined beside words': '(()=>{if(void 0===void 0)return void 0;return void 0})()',
    'strings beside words':
      '["text"in{text:1},typeof"text"in{string:1},((a)=>{switch(a){case"text":return"text"}})("text")]',
    templates: ['[`plain text`,`text $', '{`inner text`} text`,String.raw`plain\\ntext`]'].join(''),
    'texts that need care':
      '["a\\u2028b\\ud800\\0","</script>","it\'s `quoted` $ {}"].map((text)=>[text.length,text.codePointAt(3)])',
    'names of the language that a program uses itself':
      '((Map,{Set},[Error=7])=>[Map,Set,Error,new URL("http://a/").href])(1,{Set:2},[])',
    labels: '(()=>{Error:for(;;){for(;;)break Error}return"at the end"})()',
  };
  for (const [what, expression] of Object.entries(expressions)) {
    it(`means the same from a variable: ${what}`, async () => {
      const program = repeated(expression);
      const shared = shareRepeats(program);
      assert.match(shared, /^let \$\$\$0=/);
      assert.deepEqual(await resultOf(shared), await resultOf(program));
    });
  }

  it('is left alone where a variable would be longer, and where imports and directives need the text itself', () => {
    const program = `"use strict";import{join}from"node:path";import{sep}from"node:path";import*as all from"node:path";let a=join("x",sep,all);`;
    assert.equal(shareRepeats(program), program);
  });
});
