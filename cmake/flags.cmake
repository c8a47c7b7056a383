# xmbl_flags - an interface target: the flags of all our code.
# Asserts stay on in every build, so NDEBUG is never defined and no
# CMAKE_BUILD_TYPE is set; the presets give -O and -g.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(xmbl_flags INTERFACE)
target_include_directories(xmbl_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(xmbl_flags INTERFACE
    -fno-common -ffunction-sections -fdata-sections
    -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wvla
    -Wundef -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
    -Wcast-qual -Wwrite-strings -Wformat=2 -Wswitch-enum
    -Wimplicit-fallthrough -Wnull-dereference -Wdouble-promotion
    $<$<BOOL:${XMBL_WERROR}>:-Werror>
    # A result is dropped on purpose by (void), which only clang believes;
    # clang therefore looks for results that are dropped otherwise.
    $<$<C_COMPILER_ID:GNU>:-Wno-unused-result>)
target_link_options(xmbl_flags INTERFACE -Wl,--gc-sections)

# With sanitizers gcc warns of what it has put in itself, so these builds do not
# warn; the dev, clang and release presets do.
if(XMBL_SANITIZE)
    # The run time of libFuzzer has main(); libraries get its counters only.
    set(sanitize ${XMBL_SANITIZE}$<$<BOOL:${XMBL_FUZZ}>:,fuzzer-no-link>)
    target_compile_options(xmbl_flags INTERFACE
        -w -fsanitize=${sanitize} -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
    target_link_options(xmbl_flags INTERFACE -fsanitize=${XMBL_SANITIZE})
endif()

if(XMBL_HARDEN)
    set(CMAKE_POSITION_INDEPENDENT_CODE ON)
    target_compile_options(xmbl_flags INTERFACE
        -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong)
    target_link_options(xmbl_flags INTERFACE -Wl,-z,relro,-z,now)
    include(CheckPIESupported)
    check_pie_supported(LANGUAGES C)
endif()
