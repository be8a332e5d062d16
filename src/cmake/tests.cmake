# Tests: one executable per layer (unit) or per kind (the others), one ctest entry per executable.
# Each run leaves <build>/results/<name>.xml (GoogleTest's own report), from which `./dev test`
# counts the cases.
#
#   tests/unit/<layer>/**/*_test.cpp   -> unit_<layer>   links that layer and those below
#   tests/<kind>/**/*_test.cpp         -> <kind>         model, sim, conformance, e2e: link it all
#   tests/stress/**/*_test.cpp         -> stress         of kind e2e
#   tests/hostile/**/*_test.cpp        -> hostile        of kind e2e
#   tests/cluster/**/*_test.cpp        -> cluster        storage servers of others; skipped without
#                                                        them (./dev setup cluster)
#   tests/support/**                   -> test_support   linked into all of them; may provide main()
#   tests/bench/<name>.cpp             -> bin/fulmar-<name>  with tests/bench/<name>/*.cpp; its
#                                                        `// bench-links:` line names the layers
#                                                        (or test_support) it links, all when it
#                                                        has none
#   tests/fuzz/<name>_fuzz.cpp         -> fuzz_<name>    fuzz preset only; its `// fuzz-links:`
#                                                        line names the layers it links, or
#                                                        sim_world: the simulator without its tests,
#                                                        or fake_control: the core's stand-in

get_property(FULMAR_LIBRARIES GLOBAL PROPERTY FULMAR_LIBRARIES)
set(FULMAR_TEST_DIR "${CMAKE_SOURCE_DIR}/tests")
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/results")

set(FULMAR_TEST_ENV
  "FULMAR_BIN_DIR=${CMAKE_BINARY_DIR}/bin;FULMAR_SOURCE_DIR=${CMAKE_SOURCE_DIR}")

# What the sanitizers are told in every test run; harmless in the other builds.
set(FULMAR_SANITIZER_ENV
  "ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1"
  "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1"
  "TSAN_OPTIONS=halt_on_error=1:suppressions=${FULMAR_TEST_DIR}/support/tsan.supp")

# Other source files beside the tests (helpers) are compiled in as well; only a main.cpp of support
# is special.
function(fulmar_test_executable name kind folder timeout)
  cmake_parse_arguments(ARG "" "" "LIBRARIES;INCLUDES" ${ARGN})
  file(GLOB_RECURSE tests CONFIGURE_DEPENDS "${folder}/*_test.cpp")
  if(NOT tests)
    return()
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${folder}/*.cpp")
  if(NOT FULMAR_HAS_NBD)
    list(FILTER sources EXCLUDE REGEX "/backend/nbd/")
  endif()
  if(NOT FULMAR_HAS_RBD)
    list(FILTER sources EXCLUDE REGEX "/backend/rbd/")
  endif()
  add_executable(${name} ${sources})
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests" UNITY_BUILD ON)
  # "tcp/pdu_reader.hpp" style for everybody; unit tests also see their layer's folder, as its own
  # files do.
  target_include_directories(${name} PRIVATE
    "${CMAKE_SOURCE_DIR}/tests" "${CMAKE_SOURCE_DIR}/src" ${ARG_INCLUDES})
  target_link_libraries(${name} PRIVATE
    fulmar_flags fulmar_unity_warnings test_support ${ARG_LIBRARIES}
    GTest::gmock GTest::gtest GTest::gtest_main)
  add_test(NAME ${name}
    COMMAND ${name} --gtest_color=no --gtest_output=xml:${CMAKE_BINARY_DIR}/results/${name}.xml
    WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
  set_tests_properties(${name} PROPERTIES LABELS ${kind} TIMEOUT ${timeout}
    ENVIRONMENT "${FULMAR_TEST_ENV};${FULMAR_SANITIZER_ENV}")
  # What is tested is compiled as it ships; the tests themselves do little, and their assertions
  # cost the optimiser minutes: clang takes 2.3 times as long for an instrumented unit. Model and
  # simulator count; unit_admin lets allocations fail inside of JSON, and knows it optimised.
  if((kind MATCHES "^(conformance|e2e|cluster)$" AND NOT FULMAR_SANITIZE STREQUAL "thread")
     OR (kind STREQUAL "unit" AND FULMAR_SANITIZE MATCHES "address"
         AND NOT name STREQUAL "unit_admin"))
    target_compile_options(${name} PRIVATE -O0 -U_FORTIFY_SOURCE)
  elseif(kind STREQUAL "unit" AND NOT FULMAR_SANITIZE)
    target_compile_options(${name} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1>)
  endif()
  if(NOT kind STREQUAL "unit")
    # They use ports or time, or the whole machine.
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
  endif()
  set_property(GLOBAL APPEND PROPERTY FULMAR_TESTS_${kind} ${name})
endfunction()

if(FULMAR_TESTS)
  file(GLOB_RECURSE support CONFIGURE_DEPENDS "${FULMAR_TEST_DIR}/support/*.cpp")
  if(support)
    add_library(test_support STATIC ${support})
    # Worlds are made of the transports' own classes, which include each other by their layer's folder.
    target_include_directories(test_support
      PUBLIC "${FULMAR_TEST_DIR}" "${CMAKE_SOURCE_DIR}/src/transport"
      PRIVATE "${CMAKE_SOURCE_DIR}/src")
    set_target_properties(test_support PROPERTIES UNITY_BUILD ON)
    target_link_libraries(test_support PUBLIC
      fulmar_flags fulmar_unity_warnings fulmar_transport_tcp fulmar_transport_rdma fulmar_transport_loopback fulmar_core fulmar_host
      fulmar_admin fulmar_drives GTest::gmock GTest::gtest nlohmann_json::nlohmann_json)
  else()
    add_library(test_support INTERFACE)
    target_include_directories(test_support INTERFACE "${FULMAR_TEST_DIR}")
  endif()
endif()

if(FULMAR_TESTS)
  enable_testing()

  # Seconds. A sanitizer build gets three times as long.
  set(factor 1)
  if(FULMAR_SANITIZE OR CMAKE_BUILD_TYPE STREQUAL "Debug")
    set(factor 3)
  endif()
  foreach(pair IN ITEMS unit=120 model=600 sim=600 conformance=300 e2e=300 cluster=240)
    string(REPLACE "=" ";" pair "${pair}")
    list(GET pair 0 kind)
    list(GET pair 1 seconds)
    math(EXPR FULMAR_TIMEOUT_${kind} "${seconds} * ${factor}")
  endforeach()

  foreach(layer IN ITEMS
          base nvme security engine mem vfio backend hotplug core transport admin drives host cli
          app)
    get_property(libraries GLOBAL PROPERTY FULMAR_LAYER_${layer})
    file(GLOB inner LIST_DIRECTORIES true CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${layer}/*")
    set(includes "${CMAKE_SOURCE_DIR}/src/${layer}")
    foreach(entry IN LISTS inner)
      if(IS_DIRECTORY "${entry}")
        list(APPEND includes "${entry}")
      endif()
    endforeach()
    fulmar_test_executable(unit_${layer} unit "${FULMAR_TEST_DIR}/unit/${layer}"
                           ${FULMAR_TIMEOUT_unit} LIBRARIES ${libraries} INCLUDES ${includes})
  endforeach()
  if(TARGET unit_admin)  # includes Asio
    target_link_libraries(unit_admin PRIVATE dep_asio)
    set_target_properties(unit_admin PROPERTIES ENABLE_EXPORTS ON)  # names of callers, for the test
  endif()
  foreach(kind IN ITEMS model sim conformance e2e)
    fulmar_test_executable(${kind} ${kind} "${FULMAR_TEST_DIR}/${kind}"
                           ${FULMAR_TIMEOUT_${kind}} LIBRARIES ${FULMAR_LIBRARIES})
  endforeach()

  if(TARGET sim)
    target_link_libraries(sim PRIVATE Boost::context)
  endif()

  # End to end as well, but a program of its own: the thread sanitizer watches it, too. Only the
  # layers that it uses: for that sanitizer nothing else is compiled.
  fulmar_test_executable(stress e2e "${FULMAR_TEST_DIR}/stress" ${FULMAR_TIMEOUT_e2e}
                         LIBRARIES fulmar_nvme fulmar_host)
  if(TARGET stress)
    target_sources(stress PRIVATE "${FULMAR_TEST_DIR}/e2e/daemon.cpp")
    add_dependencies(stress fulmard)
  endif()

  # Storage servers of others, and what their loss does.
  fulmar_test_executable(cluster cluster "${FULMAR_TEST_DIR}/cluster" ${FULMAR_TIMEOUT_cluster}
                         LIBRARIES fulmar_nvme fulmar_backend fulmar_host)
  if(TARGET cluster)
    target_sources(cluster PRIVATE "${FULMAR_TEST_DIR}/e2e/daemon.cpp")
    add_dependencies(cluster fulmard fulmar)
  endif()

  # Hosts that behave beside peers that do not.
  fulmar_test_executable(hostile e2e "${FULMAR_TEST_DIR}/hostile" ${FULMAR_TIMEOUT_e2e}
                         LIBRARIES fulmar_nvme fulmar_core fulmar_admin fulmar_host)

  file(GLOB lint CONFIGURE_DEPENDS "${FULMAR_TEST_DIR}/lint/tidy.py")
  if(lint)
    add_test(NAME lint COMMAND python3 ${lint} --build ${CMAKE_BINARY_DIR}
             WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    set_tests_properties(lint PROPERTIES LABELS lint TIMEOUT 120)
  endif()

  # The end-to-end tests start the real programs.
  if(TARGET e2e AND TARGET fulmard AND TARGET fulmar)
    add_dependencies(e2e fulmard fulmar)
  endif()

  # One target per kind, for `./dev test KIND`.
  foreach(kind IN ITEMS unit model sim conformance e2e cluster)
    add_custom_target(tests_${kind})
    get_property(executables GLOBAL PROPERTY FULMAR_TESTS_${kind})
    if(executables)
      add_dependencies(tests_${kind} ${executables})
    endif()
  endforeach()

  # What the thread sanitizer watches: the engine, the backends, the core, and the whole daemon
  # under stress; no other test is built for it, but the simulator for a soak.
  add_custom_target(tsan_tests)
  foreach(name IN ITEMS unit_engine unit_backend unit_core stress)
    if(TARGET ${name})
      add_dependencies(tsan_tests ${name})
    endif()
  endforeach()
endif()

# The layers that a source names in a line `// <tag>: nvme host`, as libraries.
function(fulmar_named_layers source tag result)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
  file(STRINGS "${source}" line REGEX "^// ${tag}:" LIMIT_COUNT 1)
  string(REGEX REPLACE "^// ${tag}:" "" line "${line}")
  string(STRIP "${line}" line)
  separate_arguments(line)
  list(TRANSFORM line PREPEND fulmar_)
  list(TRANSFORM line REPLACE "^fulmar_(test_support|sim_world|fake_control)$" "\\1")
  foreach(library IN LISTS line)
    # Else the linker would look for a library of that name, much later.
    if(NOT TARGET ${library})
      message(FATAL_ERROR "${source}: its line `// ${tag}:` names ${library}, which is no library here")
    endif()
  endforeach()
  set(${result} ${line} PARENT_SCOPE)
endfunction()

# What measures is built only where measuring makes sense.
if(FULMAR_TESTS AND NOT FULMAR_SANITIZE)
  file(GLOB tools CONFIGURE_DEPENDS "${FULMAR_TEST_DIR}/bench/*.cpp")
  if(NOT FULMAR_HAS_NBD)
    list(FILTER tools EXCLUDE REGEX "/nbd_load\\.cpp$")
  endif()
  if(NOT FULMAR_HAS_RBD)
    list(FILTER tools EXCLUDE REGEX "/rbd_load\\.cpp$")
  endif()
  foreach(tool IN LISTS tools)
    cmake_path(GET tool STEM name)
    file(GLOB parts CONFIGURE_DEPENDS "${FULMAR_TEST_DIR}/bench/${name}/*.cpp")
    string(REPLACE "_" "-" name "fulmar-${name}")
    add_executable(${name} ${tool} ${parts})
    fulmar_named_layers("${tool}" bench-links links)
    if(NOT links)
      set(links ${FULMAR_LIBRARIES})
    endif()
    target_link_libraries(${name} PRIVATE
      ${links} fulmar_flags CLI11::CLI11 nlohmann_json::nlohmann_json)
    target_include_directories(${name} PRIVATE
      "${CMAKE_SOURCE_DIR}/tests" "${CMAKE_SOURCE_DIR}/src" "${CMAKE_SOURCE_DIR}/src/backend")
    if(name STREQUAL "fulmar-fused-counter")
      add_dependencies(programs ${name})  # the guest has it, and begins before the tests are built
    endif()
    if(name MATCHES "-bench$")
      find_package(benchmark REQUIRED)
      target_link_libraries(${name} PRIVATE benchmark::benchmark_main)
    endif()
  endforeach()
endif()

if(FULMAR_FUZZ)
  file(GLOB_RECURSE parts CONFIGURE_DEPENDS "${FULMAR_TEST_DIR}/sim/*.cpp")
  list(FILTER parts EXCLUDE REGEX "(_test|/main)\\.cpp$")
  file(GLOB drive CONFIGURE_DEPENDS "${FULMAR_TEST_DIR}/support/fake_drive*.cpp")
  add_library(sim_world STATIC EXCLUDE_FROM_ALL ${parts} ${drive})
  target_include_directories(sim_world
    PUBLIC "${FULMAR_TEST_DIR}" "${CMAKE_SOURCE_DIR}/src/transport"
    PRIVATE "${CMAKE_SOURCE_DIR}/src")
  target_link_libraries(sim_world PUBLIC
    fulmar_flags fulmar_transport_tcp fulmar_transport_loopback fulmar_backend fulmar_core
    Boost::context GTest::gtest)

  # Of the tests' support only this, since the rest brings RDMA and the host with it.
  add_library(fake_control STATIC EXCLUDE_FROM_ALL
    "${FULMAR_TEST_DIR}/support/fake_control.cpp" "${FULMAR_TEST_DIR}/support/failing_memory.cpp")
  target_include_directories(fake_control
    PUBLIC "${FULMAR_TEST_DIR}" PRIVATE "${CMAKE_SOURCE_DIR}/src")
  target_link_libraries(fake_control PUBLIC fulmar_flags fulmar_admin)

  file(GLOB fuzzers CONFIGURE_DEPENDS "${FULMAR_TEST_DIR}/fuzz/*_fuzz.cpp")
  add_custom_target(fuzz_targets)
  foreach(fuzzer IN LISTS fuzzers)
    cmake_path(GET fuzzer STEM stem)
    string(REGEX REPLACE "_fuzz$" "" stem "${stem}")
    fulmar_named_layers("${fuzzer}" fuzz-links links)
    if(NOT links)
      message(FATAL_ERROR "${fuzzer}: say which layers it needs, in a line like "
                          "`// fuzz-links: nvme transport_tcp`")
    endif()
    add_executable(fuzz_${stem} ${fuzzer})
    set_target_properties(fuzz_${stem} PROPERTIES
                          RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fuzz")
    target_include_directories(fuzz_${stem} PRIVATE
      "${CMAKE_SOURCE_DIR}/tests" "${CMAKE_SOURCE_DIR}/src" "${CMAKE_SOURCE_DIR}/src/transport")
    target_link_libraries(fuzz_${stem} PRIVATE ${links} fulmar_flags)
    target_link_options(fuzz_${stem} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzz_targets fuzz_${stem})
  endforeach()
  target_link_libraries(fuzz_rest PRIVATE dep_asio)  # includes it
endif()
