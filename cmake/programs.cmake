# The programs: src/app/xmbl_sim.c becomes build/<preset>/xmbl-sim.
file(GLOB program_sources CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/src/app/xmbl*.c)
foreach(name IN LISTS XMBL_PROGRAMS)
    set(source ${PROJECT_SOURCE_DIR}/src/app/${name}.c)
    if(NOT source IN_LIST program_sources OR XMBL_FUZZ)
        continue()
    endif()
    string(REPLACE _ - program ${name})
    add_executable(${program} ${source})
    xmbl_set_system_view(${program} app)
    target_link_libraries(${program} PRIVATE xmbl_app)
    foreach(used IN LISTS XMBL_PROGRAM_USES_${name})
        if(TARGET xmbl_${used})
            target_link_libraries(${program} PRIVATE xmbl_${used})
        endif()
    endforeach()
endforeach()

# test/e2e/attack*.c  ->  build/<preset>/test/attack, in the release build too:
# the end-to-end tests run against that.
file(GLOB attack_sources CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/test/e2e/attack*.c)
if(attack_sources AND NOT XMBL_FUZZ)
    add_executable(attack ${attack_sources})
    set_target_properties(attack PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/test)
    target_compile_definitions(attack PRIVATE _GNU_SOURCE)
    target_link_libraries(attack PRIVATE ${xmbl_libraries})
endif()
