/**
 * Regular expressions over topic names that come from clients, in RE2's syntax: a match takes time linear to the text, whatever
 * the expression. What is left to bound is the expression itself.
 */
import { RE2JS, RE2JSSyntaxException } from 're2js'
import type { TopicPattern } from '../coordinator/request-context.ts'
import { TOPIC_PATTERN_CHARACTERS_MAX } from './limits.ts'

/** The compiled expression, or why there is none. */
export function compileTopicPattern(expression: string): TopicPattern | { readonly problem: string } {
  if (expression.length > TOPIC_PATTERN_CHARACTERS_MAX) {
    return { problem: `it has more than ${TOPIC_PATTERN_CHARACTERS_MAX} characters` }
  }
  try {
    const compiled = RE2JS.compile(expression)
    return { matches: (topicName) => compiled.matches(topicName) }
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return { problem: error.message }
    throw error
  }
}
