import { CosmosError } from '../cosmos-error.ts';
import type { Token } from './syntax.ts';

/** A 400 as the service words it: where the query is wrong and which token is at fault. */
export function queryError(token: Pick<Token, 'start' | 'end'>, code: string, message: string): CosmosError {
  const location = { start: token.start, end: token.end };
  const errors = [{ severity: 'Error', location, code, message }];
  return new CosmosError(400, `Message: ${JSON.stringify({ errors })}`);
}

/** @param why is added, as an explanation */
export function syntaxError(token: Token, why = ''): CosmosError {
  if (token.kind === 'end')
    return queryError(token, 'SC1001', `Syntax error, unexpected end of query${why}.`);
  return queryError(token, 'SC1001', `Syntax error, incorrect syntax near '${token.text}'${why}.`);
}
