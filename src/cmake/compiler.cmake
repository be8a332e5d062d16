# How every file of ours is compiled: language, warnings, sanitizers, linker, compiler cache. Flags
# that only concern our own code sit on the target `fulmar_flags`, so that nothing leaks into third
# parties.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
# No NDEBUG anywhere: FULMAR_ASSERT is on in every build.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")

if(FULMAR_CCACHE)
  find_program(FULMAR_CCACHE_PROGRAM ccache)
  if(FULMAR_CCACHE_PROGRAM)
    # Paths below the checkout are made relative, so that several checkouts share what one has
    # compiled.
    set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
                                    CCACHE_SLOPPINESS=time_macros ${FULMAR_CCACHE_PROGRAM})
  endif()
endif()

# __FILE__ and debug information name files relative to the checkout, whether ccache rewrote the
# path or not.
file(RELATIVE_PATH FULMAR_UP "${CMAKE_BINARY_DIR}" "${CMAKE_SOURCE_DIR}")
add_library(fulmar_flags INTERFACE)
target_compile_options(fulmar_flags INTERFACE
  -march=${FULMAR_MARCH}
  -fno-strict-aliasing
  "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=" "-ffile-prefix-map=${FULMAR_UP}=")
target_compile_definitions(fulmar_flags INTERFACE
  FULMAR_VERSION="${PROJECT_VERSION}"
  $<$<BOOL:${FULMAR_FAULTS}>:FULMAR_FAULTS=1>
  $<$<BOOL:${FULMAR_MUTATIONS}>:FULMAR_MUTATIONS=1>)

add_library(fulmar_warnings INTERFACE)
target_compile_options(fulmar_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wformat=2 -Wundef
  -Wswitch -Werror=switch -Werror=return-type
  $<$<BOOL:${FULMAR_WERROR}>:-Werror>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(fulmar_warnings INTERFACE
    -Wconversion -Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wsuggest-override
    -Wextra-semi)
  if(FULMAR_SANITIZE)
    # The instrumentation hides initialisations from g++ 12's flow analysis; release keeps these as
    # errors.
    target_compile_options(fulmar_warnings INTERFACE -Wno-maybe-uninitialized -Wno-stringop-overflow
                           -Wno-array-bounds -Wno-null-dereference)
  endif()
endif()
# Several files at once: the sanitizers' builds, which halves the time that they take, and tests in
# every build. A name that is local to one file must therefore be the only one in its layer, or among
# the tests of its kind; where it hides another one of an outer scope, release, where what ships is
# compiled file by file, says so.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 24)
add_library(fulmar_unity_warnings INTERFACE)
target_compile_options(fulmar_unity_warnings INTERFACE
  -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
target_link_libraries(fulmar_flags INTERFACE
  fulmar_warnings $<$<BOOL:${CMAKE_UNITY_BUILD}>:fulmar_unity_warnings>)

if(FULMAR_SANITIZE)
  # Everything, not only our own targets: half-instrumented programs give false reports.
  add_compile_options(-fsanitize=${FULMAR_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${FULMAR_SANITIZE})
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  if(FULMAR_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
  if(FULMAR_SANITIZE MATCHES "thread")
    # DPDK's default rings use barriers the sanitizer cannot see; the C11 variant it understands.
    add_compile_definitions(RTE_USE_C11_MEM_MODEL)
    add_compile_options(-Wno-tsan)
  endif()
  if(FULMAR_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
  endif()
elseif(CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
else()
  add_compile_definitions(_FORTIFY_SOURCE=2)
  add_compile_options(-fstack-protector-strong)
  add_link_options(-Wl,-z,relro,-z,now)
endif()

include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)

find_program(FULMAR_MOLD mold)
find_program(FULMAR_LLD NAMES ld.lld ld.lld-14)
if(FULMAR_MOLD)
  add_link_options(-fuse-ld=mold)
elseif(FULMAR_LLD)
  add_link_options(-fuse-ld=lld)
endif()
add_link_options(-Wl,--as-needed)
