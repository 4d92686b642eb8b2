import { usageError } from '../../core/errors.ts';
import type { Command, OptionSpecs } from './command.ts';

/** `commands` and `globals`: the tables that the help is made of. */
export function completionCommand(commands: () => readonly Command[], globals: OptionSpecs): Command {
  return {
    name: 'completion',
    operands: '[bash|zsh]',
    summary: 'prints what makes a shell complete commands, options and installed models',
    examples: {
      bash: 'in ~/.bashrc: source <(aircher completion bash)',
      zsh: 'in ~/.zshrc, after compinit: source <(aircher completion zsh)',
    },
    async run({ names: [shell], output }) {
      if (shell !== 'bash' && shell !== 'zsh') throw usageError('Which shell? completion bash, or completion zsh.');
      const script = `${shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}${bashScript(commands(), globals)}`;
      output.document({ shell, script });
      script.split('\n').forEach(output.print);
    },
  };
}

/** zsh runs it, too, by its `bashcompinit`. */
function bashScript(commands: readonly Command[], globals: OptionSpecs): string {
  const names = (command: Command): string[] => [command.name, ...(command.aliases ?? [])];
  const cases = commands.map(
    (command) =>
      `    ${names(command).join('|')}) options='${optionsOf(command.options)}' takes='${takes(command)}' ;;`,
  );
  return `_aircher() {
  local word="\${COMP_WORDS[COMP_CWORD]}" at=1 options= takes=
  [[ "\${COMP_WORDS[1]}" == model ]] && at=2
  if (( COMP_CWORD <= at )); then
    COMPREPLY=($(compgen -W '${commands.flatMap(names).join(' ')} help' -- "$word"))
    return
  fi
  case "\${COMP_WORDS[at]}" in
${cases.join('\n')}
  esac
  if [[ "$word" == -* ]]; then
    takes="$options ${optionsOf(globals)}"
  elif [[ "$takes" == models ]]; then
    takes="$("\${COMP_WORDS[0]}" list --json 2>/dev/null | sed -n 's/^ *"name": "\\(.*\\)",$/\\1/p' | sort -u)"
  fi
  COMPREPLY=($(compgen -W "$takes" -- "$word"))
}
complete -o default -F _aircher aircher`;
}

function optionsOf(options: OptionSpecs = {}): string {
  return Object.keys(options)
    .map((written) => written.split(' ')[0])
    .join(' ');
}

/** What stands behind the command: models, or one of a few words. */
function takes({ operands }: Command): string {
  if (operands.includes('NAME')) return 'models';
  return operands.replace(/[[\]]/g, '').replaceAll('|', ' ');
}
