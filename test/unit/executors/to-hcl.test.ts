import { describe, expect, test } from 'vitest';
import { toHcl } from '../../../shared/executors/to-hcl.ts';

describe('a value as a literal of HCL', () => {
  test.each([
    [null, 'null'],
    [true, 'true'],
    [-1.5, '-1.5'],
    ['plain "text"\n', '"plain \\"text\\"\\n"'],
    [['a', 1], '["a",1]'],
    [{ size: 3 }, '{"size":3}'],
    // What HCL would take for templates.
    ['\u0024{var.secret}', '"\\u0024{var.secret}"'],
    ['$\u0024{x} 5% %{if}', '"$\\u0024{x} 5% \\u0025{if}"'],
    ['\\\u0024{x}', '"\\\\\\u0024{x}"'],
    // Escapes that only JSON has, and a backslash before the same letters.
    ['\b\f', '"\\u0008\\u000c"'],
    ['\\b\\f', '"\\\\b\\\\f"'],
  ])('%j', (value, literal) => {
    expect(toHcl(value)).toBe(literal);
    expect(JSON.parse(literal)).toEqual(value);
  });
});
