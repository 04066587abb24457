"""The commands: parse, build a configuration, one library call, print. The only room with click."""
