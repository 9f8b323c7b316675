import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyCharacter } from '../../test/support/any-text.js';
import { html, jsonForScript } from './html.js';

describe('html', () => {
  it('escapes what is put into text and attributes, and leaves its own alone', () => {
    const inner = html`<b>${'<i>'}</b>`;

    expect(html`<a title="${'" onclick="x'}">${inner}</a>`.text).toBe(
      '<a title="&quot; onclick=&quot;x"><b>&lt;i&gt;</b></a>',
    );
  });

  it('leaves out what is not there', () => {
    expect(html`a${undefined}b${null}c${false}d${['e', html`f`]}`.text).toBe('abcdef');
  });

  it('never lets a value open a tag, an entity or end an attribute', () => {
    fc.assert(
      fc.property(fc.string({ unit: anyCharacter }), (value) => {
        const { text } = html`${value}`;
        expect(text).not.toMatch(/[<>"']/);
        expect(text.replaceAll(/&(?:amp|lt|gt|quot|#39);/g, '')).not.toContain('&');
      }),
    );
  });
});

describe('jsonForScript', () => {
  it('is the same value again, and cannot end its element', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (value, extra) => {
        const { text } = jsonForScript({ value, extra, bad: '</script><!--\u2028' });
        expect(text).not.toMatch(/[<>\u2028]/);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify({ value, extra, bad: '</script><!--\u2028' })));
      }),
    );
  });
});
