import type { ExpectedCourse } from './expected-course.js';
import type { MachinePlan, StepPlan } from './job-history.js';
import { CANCELED, failed, LOST, SUCCESS, TIMED_OUT, verdictOfFiles, worse, type Verdict } from './verdict.js';

type ContainerStep = 'get_sources' | 'step_script' | 'step_release' | 'after_script';
type FilesStep = 'restore_cache' | 'fetch' | 'download_artifacts' | 'archive_cache' | 'upload_artifacts';

/** The way of a job through one machine. */
export class ExpectedMachine {
  /** Its steps could be served to the end. */
  private served = true;
  /** What ends the job before that leaves nothing to clean up and nothing to keep. */
  private scriptBegan = false;

  private readonly course: ExpectedCourse;
  private readonly attempt: number;
  private readonly plan: MachinePlan;

  constructor(course: ExpectedCourse, attempt: number, plan: MachinePlan) {
    this.course = course;
    this.attempt = attempt;
    this.plan = plan;
  }

  run(): Verdict {
    const refused = this.provision();
    if (refused !== undefined) return refused;
    const { course, plan } = this;
    course.measured = this.attempt;
    const { history } = course;
    const prepared = this.prepare();
    let verdict = prepared;
    this.scriptBegan = prepared === SUCCESS && course.ending === undefined;
    if (verdict === SUCCESS) verdict = this.runStep('step_script', plan.step_script);
    if (verdict === SUCCESS && history.secondStep) verdict = this.runStep('step_release', plan.step_release);
    if (prepared === SUCCESS && history.afterScript && !this.isEndedForGood()) {
      course.ending = undefined;
      const after = this.runStep('after_script', plan.after_script);
      if (after === LOST) verdict = worse(verdict, LOST);
    }
    return this.keepFiles(verdict);
  }

  /** @returns the verdict where there is no machine to go on with */
  private provision(): Verdict | undefined {
    const { course, attempt, plan } = this;
    course.call(attempt, 'provision');
    const canceled = course.ending !== undefined;
    // Only a delivery that does not hear of the cancel comes to know that there is no image.
    if (plan.provision === 'no image') return canceled ? CANCELED : failed('image_pull_failure');
    if (plan.provision === 'broken') return canceled ? CANCELED : LOST;
    if (!canceled || plan.provision === 'ready anyway') course.machines.push(attempt);
    return canceled ? CANCELED : undefined;
  }

  private prepare(): Verdict {
    const { course, plan } = this;
    const { history } = course;
    let verdict = history.sources ? this.runStep('get_sources', plan.get_sources) : SUCCESS;
    if (verdict === SUCCESS && history.cache) verdict = this.moveFiles('restore_cache');
    if (verdict === SUCCESS && history.dependencies) verdict = this.moveFiles('fetch');
    if (verdict === SUCCESS && history.dependencies) verdict = this.moveFiles('download_artifacts');
    return verdict;
  }

  private runStep(name: ContainerStep, { end, onStop }: StepPlan): Verdict {
    const { course, attempt } = this;
    const before = course.verdictOfEnding();
    if (before !== undefined) return before;
    course.call(attempt, name);
    const stoppedFor = this.stoppedFor(end);
    if (stoppedFor !== undefined) {
      course.call(attempt, `stop ${name}`);
      if (onStop === 'broken') this.served = false;
      return onStop === 'exit 0' ? SUCCESS : stoppedFor;
    }
    return this.verdictOfEnd(end);
  }

  private stoppedFor(end: StepPlan['end']): Verdict | undefined {
    const ended = this.course.verdictOfEnding();
    if (ended !== undefined) return ended;
    if (end === 'longer than the job') this.course.raise('job limit');
    return end === 'longer than the job' || end === 'longer than its limit' ? TIMED_OUT : undefined;
  }

  private verdictOfEnd(end: StepPlan['end']): Verdict {
    if (end === 'broken') this.served = false;
    if (end === 'broken' || end === 'machine lost') return LOST;
    if (end === 'exit 1') return failed('script_failure', 1);
    return end === 'exit 3' ? failed('script_failure', 3) : SUCCESS;
  }

  /** Files are moved for as long as nothing ends the job. */
  private moveFiles(name: FilesStep): Verdict {
    const { course } = this;
    const ended = () => (this.isEndedForGood() ? course.verdictOfEnding() : undefined);
    const before = ended();
    if (before !== undefined) return before;
    course.call(this.attempt, name);
    const end = this.plan[name];
    if (ended() === undefined && end === 'longer than the job') course.raise('job limit');
    return ended() ?? verdictOfFiles(end);
  }

  private isEndedForGood(): boolean {
    return this.course.isEndedForGood() || (!this.scriptBegan && this.course.ending !== undefined);
  }

  /** Cache and artifacts, as far as there is a machine to take them from. */
  private keepFiles(script: Verdict): Verdict {
    const { course, plan } = this;
    const { cache, artifacts } = course.history;
    const succeeded = script === SUCCESS;
    if (this.isEndedForGood()) return succeeded ? (course.verdictOfEnding() ?? SUCCESS) : script;
    if (script.failureReason === 'runner_system_failure') return script;
    if (!this.served) return succeeded && (cache || artifacts) ? LOST : script;
    course.ending = undefined;
    let verdict = script;
    if (cache) verdict = worse(verdict, this.moveFiles('archive_cache'));
    if (artifacts) {
      verdict = worse(verdict, this.moveFiles('upload_artifacts'));
      if (this.isEndedForGood()) return verdict;
      if (plan.upload_artifacts === 'ok' || plan.upload_artifacts === 'retried') course.artifacts = true;
      if (plan.upload_artifacts === 'not ok') course.artifacts = false;
    }
    return verdict;
  }
}
