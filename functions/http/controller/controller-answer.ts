import { SkerryError } from '../../../shared/platform/errors.ts';
import {
  type HeaderReader,
  type HttpResponse,
  type ResponseFacts,
  text,
} from '../../../shared/platform/http/index.ts';
import { type ControllerBody, toJson, toXml } from './controller-value.ts';

export type ControllerForm = 'application/json' | 'application/xml';

/** One media type, with or without parameters, and nothing else: a list is none. */
const ONE_MEDIA_TYPE =
  /^\s*([\w!#$&^.+*-]+\/[\w!#$&^.+*-]+)\s*(?:;\s*[\w!#$&^.+*-]+=(?:[\w!#$&^.+*-]+|"[^"]*")\s*)*;?\s*$/;

/**
 * In which form the caller wants its answer. It has to say so: the controller takes neither `*`/`*` nor a list nor silence for an answer.
 *
 * @throws SkerryError `unsupported-media-type`, which is what the controller calls it.
 */
export function controllerForm(headers: HeaderReader): ControllerForm {
  const form = formOf(headers.get('accept') ?? '');
  if (form === undefined) {
    throw new SkerryError('unsupported-media-type', 'Unsupported Media Type', { field: 'Accept' });
  }
  return form;
}

/** An answer in the form that the caller wants. */
export function controllerAnswer(
  form: ControllerForm,
  status: number,
  body: ControllerBody,
  { headers, location }: Pick<ResponseFacts, 'headers' | 'location'> = {},
): HttpResponse {
  return {
    status,
    headers: {
      'Content-Type': `${form}; charset=utf-8`,
      ...(location !== undefined && { Location: location }),
      ...headers,
    },
    body: form === 'application/json' ? `${JSON.stringify(toJson(body))}\n` : toXml(body, 'Environments'),
  };
}

/** A refusal as the controller tells it: a message in the form that the caller wants, or as text where that cannot be told. */
export function controllerRefusal(status: number, reason: string, headers: HeaderReader): HttpResponse {
  const form = formOf(headers.get('accept') ?? '');
  return form === undefined ? text(status, `${reason}\n`) : controllerAnswer(form, status, reason);
}

function formOf(accept: string): ControllerForm | undefined {
  const type = ONE_MEDIA_TYPE.exec(accept)?.[1]?.toLowerCase();
  return type === 'application/json' || type === 'application/xml' ? type : undefined;
}
