import { expect, it } from 'vitest';
import { parseRouteConstraint } from '../../../infra/local/host/route-constraint.ts';

it.each<[string, string[], string[]]>([
  ['int', ['0', '-7', '2147483647'], ['', 'x', '1.5', '2147483648']],
  ['long', ['9223372036854775807', '-9223372036854775808'], ['9223372036854775808']],
  ['bool', ['true', 'FALSE', ' true '], ['1', 'yes']],
  [
    'datetime',
    ['2026-01-02', '2026-01-02T03:04:05Z', '1/2/2026 3:04 PM', 'Fri, 02 Jan 2026 03:04:05 GMT'],
    ['tomorrow', '', 'release 12', '2026-02-30', '2026-13-01', '7'.repeat(20)],
  ],
  ['decimal', ['1', '-1.5', '1,000.5', ' 2 '], ['x', '', '1e5', 'NaN']],
  ['double', ['1e5', '.5', '1.e-3', 'NaN', '-Infinity'], ['1e', 'one', 'e5']],
  ['float', ['1.0'], ['1.0.0']],
  [
    'guid',
    [
      '0af76519-16cd-43dd-8448-eb211c80319c',
      '0AF7651916CD43DD8448EB211C80319C',
      '{0AF76519-16CD-43DD-8448-EB211C80319C}',
      '(0af76519-16cd-43dd-8448-eb211c80319c)',
    ],
    ['0af76519', 'x', '0af76519-16cd43dd8448eb211c80319c', '{0af76519-16cd-43dd-8448-eb211c80319c)'],
  ],
  ['alpha', ['abC'], ['a1', 'ä']],
  ['minlength(2)', ['ab'], ['a']],
  ['maxlength(2)', ['ab'], ['abc']],
  ['length(2)', ['ab'], ['a', 'abc']],
  ['length(1,2)', ['a', 'ab'], ['', 'abc']],
  ['min(3)', ['3'], ['2', 'x']],
  ['max(3)', ['3', '-9'], ['4']],
  ['range(1,3)', ['1', '3'], ['0', '4']],
  ['regex(^a+$)', ['aa', 'A'], ['b']],
  ['required', ['a'], ['']],
  ['file', ['a.txt', 'x/a.b'], ['a', 'a.', 'a..', 'x.y/a']],
  ['nonfile', ['a'], ['a.txt']],
])('%s admits %j and not %j', (text, admitted, refused) => {
  const constraint = parseRouteConstraint(text);
  expect(admitted.filter((value) => !constraint(value))).toEqual([]);
  expect(refused.filter(constraint)).toEqual([]);
});
