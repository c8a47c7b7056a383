# test/unit/<folder>/test_<name>.c  ->  CTest unit.<folder>.<name>
# test/fuzz/fuzz_<name>.c           ->  CTest corpus.<name>, or with libFuzzer
#                                       the program fuzz_<name>
# Tests run in the root of the sources, so that they find test/vectors.
set(test_dir ${PROJECT_SOURCE_DIR}/test)

function(xmbl_set_test_properties test)
    set_tests_properties(${test} PROPERTIES
        TIMEOUT ${XMBL_TEST_TIMEOUT}
        WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
        ENVIRONMENT "UBSAN_OPTIONS=print_stacktrace=1")
endfunction()

# Files of a test folder that are no test are shared by the tests in it.
function(xmbl_add_unit_test source shared)
    cmake_path(GET source STEM name)
    string(REGEX REPLACE "^test_" "" name ${name})
    cmake_path(GET source PARENT_PATH dir)
    cmake_path(GET dir FILENAME folder)
    if(NOT TARGET xmbl_${folder})
        message(WARNING "${source} is not built: there is no src/${folder}")
        return()
    endif()
    set(program test_${folder}_${name})
    add_executable(${program} ${source} ${shared})
    set_target_properties(${program} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/test)
    target_include_directories(${program} PRIVATE ${test_dir}/unit)
    xmbl_set_system_view(${program} ${folder})
    target_link_libraries(${program} PRIVATE
        xmbl_${folder} PkgConfig::XMBL_cmocka)
    add_test(NAME unit.${folder}.${name} COMMAND ${program})
    xmbl_set_test_properties(unit.${folder}.${name})
endfunction()

function(xmbl_add_unit_tests)
    xmbl_find_library(cmocka)
    file(GLOB folders CONFIGURE_DEPENDS LIST_DIRECTORIES true
        ${test_dir}/unit/*)
    foreach(folder IN LISTS folders)
        file(GLOB shared CONFIGURE_DEPENDS ${folder}/*.c)
        file(GLOB tests CONFIGURE_DEPENDS ${folder}/test_*.c)
        if(tests)
            list(REMOVE_ITEM shared ${tests})
        endif()
        foreach(source IN LISTS tests)
            xmbl_add_unit_test(${source} "${shared}")
        endforeach()
    endforeach()
endfunction()

# fuzz_<folder>_<name>.c links that folder; any other name links everything.
function(xmbl_link_fuzz_target program)
    string(REGEX REPLACE "^fuzz_([a-z0-9]+).*" "\\1" folder ${program})
    if(TARGET xmbl_${folder})
        target_link_libraries(${program} PRIVATE xmbl_${folder})
    else()
        target_link_libraries(${program} PRIVATE ${xmbl_libraries})
    endif()
endfunction()

function(xmbl_add_fuzz_target source)
    cmake_path(GET source STEM program)
    string(REGEX REPLACE "^fuzz_" "" name ${program})
    add_executable(${program} ${source})
    set_target_properties(${program} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
    xmbl_link_fuzz_target(${program})
    if(XMBL_FUZZ)
        target_link_options(${program} PRIVATE -fsanitize=fuzzer)
        return()
    endif()
    target_link_libraries(${program} PRIVATE xmbl_replay)
    add_test(NAME corpus.${name}
        COMMAND ${program} ${test_dir}/fuzz/corpus/${name})
    xmbl_set_test_properties(corpus.${name})
endfunction()

if(XMBL_TESTS)
    xmbl_add_unit_tests()
    add_library(xmbl_replay OBJECT ${test_dir}/fuzz/replay.c)
    target_compile_definitions(xmbl_replay PRIVATE _GNU_SOURCE)
    target_link_libraries(xmbl_replay PUBLIC xmbl_flags)
endif()
file(GLOB fuzz_sources CONFIGURE_DEPENDS ${test_dir}/fuzz/fuzz_*.c)
foreach(source IN LISTS fuzz_sources)
    xmbl_add_fuzz_target(${source})
endforeach()
