import { repositoryBelow } from '../../test/support/gitlab/repository.js';
import { startGitlabLane } from '../gitlab-lanes.js';
import type { Measurement } from '../measurement.js';
import { summarize } from '../statistics.js';

const FILES = Object.fromEntries(
  Array.from({ length: 20 }, (_, file) => [`file-${String(file)}.txt`, 'content\n'.repeat(50)]),
);

/** From GitLab's answer to jobs/request to its answer to the final PUT. */
export const gitlab: Measurement = {
  name: 'gitlab',
  about: 'an empty job from GitLab: without sources, and with a clone of a small repository',
  async run(bench) {
    const stack = await bench.stack();
    const git_info = repositoryBelow(stack.shared, 'bench', FILES);
    const lane = await startGitlabLane(bench, stack, 'up');
    const empty: number[] = [];
    const cloned: number[] = [];
    await lane.quiet();
    await lane.run();
    for (let round = 0; round < bench.rounds(8); round++) {
      await lane.quiet();
      empty.push(await lane.run());
      await lane.quiet();
      cloned.push(await lane.run({ git_info, variables: [{ key: 'GIT_STRATEGY', value: 'clone', public: true }] }));
    }
    await lane.close();
    return {
      figures: { emptySeconds: summarize(empty), clonedSeconds: summarize(cloned) },
      aims: [
        { what: 'empty job, GIT_STRATEGY=none, median', value: summarize(empty).median, atMost: 1.1, unit: 's' },
        { what: 'empty job with a clone, median', value: summarize(cloned).median, atMost: 1.8, unit: 's' },
      ],
    };
  },
};
