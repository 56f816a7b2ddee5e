"Stands in for IJulia, which is out of reach: Julia runs the cells, and Python speaks Jupyter's protocol."
module IJulia

using Base64

"Serve as a kernel for a connection file: Python's process takes the place of this one."
function run_kernel(connection = ARGS[1])
    python = joinpath(ENV["CONDA_PREFIX"], "bin", "python")
    words = String[python, "-m", "lab_kernels.julia", "-f", connection]
    GC.@preserve words begin
        pointers = Cstring[map(word -> Base.unsafe_convert(Cstring, word), words); Cstring(C_NULL)]
        ccall(:execv, Cint, (Cstring, Ptr{Cstring}), python, pointers)
    end
    error("$python: $(Libc.strerror())")
end

"Read cells from stdin (mark, length, code), run them, and print the mark with the value or the error."
function run_cells()
    while !eof(stdin)
        mark, size = split(readline(stdin))
        code = String(read(stdin, parse(Int, size)))
        status, text = try
            value = include_string(Main, code, "cell")
            quiet = value === nothing || endswith(rstrip(code), ";")
            "ok", quiet ? "" : Base.invokelatest(repr, MIME("text/plain"), value)
        catch error
            "error", Base.invokelatest(sprint, showerror, error)
        end
        flush(stdout)
        print(stderr, "\n", mark, "\n")
        print(stdout, "\n", mark, " ", status, " ", base64encode(text), "\n")
        flush(stdout)
        flush(stderr)
    end
end

end
