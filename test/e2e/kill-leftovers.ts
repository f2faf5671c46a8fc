/** Runs with every test file: a test or hook that ran out of time leaves no Skerry behind. */
import { afterAll } from 'vitest';
import { killLaunched } from './skerry.ts';

afterAll(killLaunched);
