import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toMarkers } from './markers.js';

const NONCE = '0b9c';
const marker = (text: string) => `\x1eholdfast:${NONCE}:${text}\x1e\n`;

describe("a container's last words", () => {
  it('tell the exit code of the step, whatever stands before and after them', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string(),
        fc.integer({ min: 0, max: 255 }),
        fc.boolean(),
        (before, after, code, oomKilled) => {
          const end = `step_script:end:${String(code)}${oomKilled ? ':oom' : ''}`;
          expect(toMarkers(Buffer.from(`${before}${marker(end)}${after}`), NONCE, 'step_script')).toEqual({
            started: true,
            exitCode: code,
            oomKilled,
            stopRequested: false,
          });
        },
      ),
    );
  });

  it('tell that the step was stopped', () => {
    expect(toMarkers(Buffer.from(marker('after_script:end:stopped')), NONCE, 'after_script')).toEqual({
      started: true,
      exitCode: undefined,
      oomKilled: false,
      stopRequested: true,
    });
  });

  it.each([
    ['of another step', marker('step_script:end:0'), 'after_script'],
    ['of a step whose name only begins alike', marker('step_script_2:end:0'), 'step_script'],
    ['of a step that has begun and not ended', marker('step_script:start'), 'step_script'],
    ['that the output itself made up', '\x1eholdfast:guess:step_script:end:0\x1e\n', 'step_script'],
    ['that a frame has cut', marker('step_script:end:0').slice(0, -3), 'step_script'],
    ['that hold no exit code', marker('step_script:end:x'), 'step_script'],
    ['that hold something else after it', marker('step_script:end:137:x'), 'step_script'],
  ])('say nothing by words %s', (_, log, step) => {
    expect(toMarkers(Buffer.from(log), NONCE, step)).toBeUndefined();
  });
});
