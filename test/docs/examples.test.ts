import { expect, test } from 'bun:test'
import { examplesIn } from './examples.ts'

test('a program is a block that imports, its output the text block right behind it', () => {
  const markdown = [
    '# Title',
    "```ts\nimport { a } from 'b'\n```",
    '```text\nprinted\n```',
    '## Other',
    '```ts\nno.program()\n```',
    "```ts\nimport { test } from 'bun:test'\n```",
    'words',
    '```text\nnot its output\n```',
  ].join('\n\n')
  expect(examplesIn(markdown)).toEqual([
    { title: 'Title', code: "import { a } from 'b'\n", isTest: false, output: 'printed\n' },
    { title: 'Other', code: "import { test } from 'bun:test'\n", isTest: true, output: null },
  ])
})
