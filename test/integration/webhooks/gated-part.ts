import { unavailable } from '../../../shared/platform/errors.ts';
import type { Gate } from '../interleaving.ts';

/** How the next step of a handler fails: before anything is done, or with its answer lost. */
export type Fault = 'refused' | 'lost';

/** The gate, where a step fails as `takeFault` says when its turn has come. A call of an endpoint that fails is a result. */
export function faulty(gate: Gate, takeFault: () => Fault | undefined): Gate {
  return (step, run) =>
    gate(step, async () => {
      const fault = takeFault();
      const answer = fault === 'refused' ? undefined : await run();
      if (fault === undefined) {
        return answer as Awaited<ReturnType<typeof run>>;
      }
      if (step === 'post') {
        return { error: 'No answer.' } as Awaited<ReturnType<typeof run>>;
      }
      throw unavailable('It does not answer.');
    });
}

/** A part of which every call goes through the gate. */
export function gated<Part extends object>(part: Part, gate: Gate): Part {
  return new Proxy(part, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name);
      return typeof method === 'function'
        ? (...parameters: unknown[]) =>
            gate(String(name), async () => await Reflect.apply(method, target, parameters))
        : method;
    },
  });
}
