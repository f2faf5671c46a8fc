import { afterAll, afterEach, beforeAll } from 'vitest';
import { closeWorld, line, openWorld } from './client-cases/world.ts';
import './client-cases/bundle-commands.ts';
import './client-cases/bundles.ts';
import './client-cases/calls.ts';
import './client-cases/environments.ts';
import './client-cases/keys.ts';
import './client-cases/living-things.ts';
import './client-cases/webhooks.ts';

beforeAll(openWorld);
afterAll(closeWorld);

// What a failed test has cut must not fail the others.
afterEach(() => line.mend());
