"""Jupyter kernels over interpreters that have none here: clang-repl for C and C++, Julia.

xeus and IJulia are out of PyPI's and Debian's reach. Part of the lab's channel only.
"""
