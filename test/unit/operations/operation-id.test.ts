import { expect, it } from 'vitest';
import { operationIdOf } from '../../../shared/operations/operation-id.ts';

it('can be told from the command by whoever sends it', () => {
  // printf 'default\n/ci\n1' | sha256sum begins with 0a4028aa8fcc; five bits a character.
  expect(operationIdOf('default', '/ci', '1')).toBe('op_1902hamfshymghdq4cew4r13n2');
  expect(operationIdOf('default', '/ci', '2')).not.toBe(operationIdOf('default', '/ci', '1'));
});
