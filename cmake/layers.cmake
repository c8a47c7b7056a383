# xmbl_<folder> - a static library per folder of src/ that exists.  It links the
# folders that its row of tools/check_layers.py allows, and no others, so that
# it and its tests build with only the folders below it.
find_package(PkgConfig REQUIRED)
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)

set(layers_py ${PROJECT_SOURCE_DIR}/tools/check_layers.py)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${layers_py})
execute_process(
    COMMAND ${Python3_EXECUTABLE} ${layers_py} --cmake
    OUTPUT_FILE ${PROJECT_BINARY_DIR}/layers.cmake
    COMMAND_ERROR_IS_FATAL ANY)
include(${PROJECT_BINARY_DIR}/layers.cmake)

# Sets PkgConfig::XMBL_<module> unless it is there.
function(xmbl_find_library module)
    if(NOT TARGET PkgConfig::XMBL_${module})
        pkg_check_modules(XMBL_${module} REQUIRED QUIET IMPORTED_TARGET GLOBAL
            ${module})
    endif()
endfunction()

# Files of an open folder, and their tests, see POSIX and Linux; the others
# see ISO C only.
function(xmbl_set_system_view target folder)
    if(XMBL_KIND_${folder} STREQUAL open)
        target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    endif()
endfunction()

# A program's own file is not part of the folder's library.
function(xmbl_folder_sources folder ret_sources)
    file(GLOB sources CONFIGURE_DEPENDS
        ${PROJECT_SOURCE_DIR}/src/${folder}/*.c)
    if(folder STREQUAL app)
        foreach(program IN LISTS XMBL_PROGRAMS)
            list(REMOVE_ITEM sources
                ${PROJECT_SOURCE_DIR}/src/app/${program}.c)
        endforeach()
    endif()
    set(${ret_sources} ${sources} PARENT_SCOPE)
endfunction()

# A folder that holds headers only becomes an interface library.
function(xmbl_add_folder folder)
    xmbl_folder_sources(${folder} sources)
    set(scope PUBLIC)
    if(sources)
        add_library(xmbl_${folder} STATIC ${sources})
        xmbl_set_system_view(xmbl_${folder} ${folder})
    else()
        set(scope INTERFACE)
        add_library(xmbl_${folder} INTERFACE)
    endif()
    if(folder STREQUAL app)
        target_compile_definitions(xmbl_app ${scope}
            XMBL_VERSION="${PROJECT_VERSION}")
    endif()
    target_link_libraries(xmbl_${folder} ${scope} xmbl_flags)
    foreach(used IN LISTS XMBL_USES_${folder})
        if(TARGET xmbl_${used})
            target_link_libraries(xmbl_${folder} ${scope} xmbl_${used})
        endif()
    endforeach()
    foreach(module IN LISTS XMBL_LIBRARIES_${folder})
        xmbl_find_library(${module})
        target_link_libraries(xmbl_${folder} ${scope} PkgConfig::XMBL_${module})
    endforeach()
endfunction()

# The glob makes a folder that appears later known without a new configure.
file(GLOB ignored CONFIGURE_DEPENDS LIST_DIRECTORIES true
    ${PROJECT_SOURCE_DIR}/src/*)
foreach(folder IN LISTS XMBL_FOLDERS)
    if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/src/${folder})
        xmbl_add_folder(${folder})
        list(APPEND xmbl_libraries xmbl_${folder})
    endif()
endforeach()
# Only the worker links wasm/.
list(REMOVE_ITEM xmbl_libraries xmbl_wasm)
