import { describe, expect, it } from 'vitest';
import { readFlatXml } from '../../../functions/http/controller/read-flat-xml.ts';

const read = (text: string) => readFlatXml(Buffer.from(text));

describe('XML of one element with texts in it', () => {
  it('is read with its references, comments left out', () => {
    const text =
      '\uFEFF<?xml version="1.0"?>\n<!-- a --><Environment >\n <ID>prod</ID><!-- <x> -->\n<Name>a &lt;b&gt; &amp;&#33;&#x1F4A9;\n</Name><Description/>\n<CreatedOn></CreatedOn></Environment>\n<!-- end -->';
    expect(read(text)).toEqual({
      root: 'Environment',
      members: [
        ['ID', 'prod'],
        ['Name', 'a <b> &!\u{1F4A9}\n'],
        ['Description', ''],
        ['CreatedOn', ''],
      ],
    });
    expect(read('<Environment/>')).toEqual({ root: 'Environment', members: [] });
  });

  it.each([
    ['', 0],
    ['<a>', 3],
    ['<a></b>', 3],
    ['<a><b>x</c></a>', 7],
    ['<a><b><c/></b></a>', 6],
    ['<a>text</a>', 3],
    ['<a x="1"/>', 0],
    ['<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', 0],
    ['<a><b>&c;</b></a>', 6],
    ['<a><b>&</b></a>', 6],
    ['<a><b>&#x110000;</b></a>', 6],
    ['<a><b>&#0;</b></a>', 6],
    ['<a><b>&#xD800;</b></a>', 6],
    ['<a><b>&valueOf;</b></a>', 6],
    ['<a><b>&__proto__;</b></a>', 6],
    ['<a/><a/>', 4],
  ])('is refused with the place of the fault: %s', (text, position) => {
    expect(() => read(text)).toThrow(`(at position ${position})`);
  });

  it('is refused at once, however long it is', () => {
    for (const part of ['</a><!--', '<!-- --> -->', '<a>', '<a> ', '<!--']) {
      expect(() => read(`<a>${part.repeat(100_000)}`)).toThrow('position');
    }
  }, 2_000);
});
